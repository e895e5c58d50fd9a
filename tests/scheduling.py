"""How parallel tests are handed out: by file, long ones first. A test that kills its process fails once, and the run goes on to its end."""

import pytest

APART = "tests/test_quick_profiles.py"
"""The file whose tests share nothing and are handed out one by one: together they would take one worker longer than all else the others."""
FIRST = (
    APART,
    "tests/lab/report/test_published_pages.py",
    "tests/test_trials.py",
    "tests/saliency/test_same_network.py",
    "tests/saliency/test_trials.py",
    "tests/saliency/test_rules.py",
    "tests/forgetting/test_profiles.py",
    "tests/fixup/test_profiles.py",
    "tests/test_cli.py",
    "tests/lightweight_conv/test_tables.py",
    "tests/lab/report/test_browser.py",
    "tests/lab/test_coverage.py",
    "tests/hessian_cost/test_formula.py",
    "tests/lab/test_submission.py",
    "tests/test_kernels.py",
    "tests/test_lost_trials.py",
    "tests/test_selection.py",
    "tests/test_adding_a_myth.py",
)
"""Long files, the longest first, so that none of them starts last and runs alone; ``--seconds-by-folder`` prints which are long."""


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):  # in a worker of xdist
        items.sort(key=lambda item: rank(item.nodeid.split("::")[0]))


def rank(file):
    return FIRST.index(file) if file in FIRST else len(FIRST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class OneDeathPerTest(LoadFileScheduling):
        """Mends what xdist does with the files of a dead worker.

        It hands them all to the next worker: those that are finished, for whose next result it then waits for ever, and the test that
        killed the worker, which kills the next one as well.
        """

        def _split_scope(self, nodeid):
            return nodeid if nodeid.startswith(APART) else super()._split_scope(nodeid)

        def _reschedule(self, node):
            """A worker begins a test when it knows the next one: what is left of a dead worker's file may be a single one."""
            for _ in range(2):
                if not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
                    super()._reschedule(node)

        def remove_node(self, node):
            work = self.assigned_work[node]
            for file in [file for file, tests in work.items() if all(tests.values())]:
                del work[file]
            killer = next((test for tests in work.values() for test, done in tests.items() if not done), None)
            for file, tests in list(work.items()):
                if killer in tests:
                    tests[killer] = True
                if all(tests.values()):
                    del work[file]
            super().remove_node(node)
            return killer

    return OneDeathPerTest(config, log)
