"""How parallel tests are handed out: by file. A test that kills its process fails once, and the run goes on to its end."""

import pytest


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
