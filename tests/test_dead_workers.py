"""A test run comes to its end whatever happens to its processes, and names the tests that were at fault."""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import scheduling

pytest.importorskip("pytest_timeout")

ROOT = Path(__file__).parents[1]
PARALLEL = re.search(r"^PARALLEL := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)[1].replace("\\\n", " ")


def test_files_that_start_first_exist():
    assert [name for name in scheduling.FIRST if not (ROOT / name).exists()] == []


PLUGINS = ("-p", "xdist.plugin", "-p", "pytest_timeout", "-p", "no:cacheprovider")
"""No others: a worker then starts in a moment."""


def options(**replaced):
    """Those of ``make test``, with other numbers."""
    words = shlex.split(PARALLEL)
    for name, value in replaced.items():
        option = f"{'-' * min(2, len(name))}{name.replace('_', '-')}"
        words = [str(value) if before == option else word for before, word in zip(["", *words], words, strict=False)]
        words = [f"{name}={value}" if word.startswith(f"{name}=") else word for word in words]
    return words


HOOKS = "from tests import scheduling\nfrom tests.scheduling import pytest_collection_modifyitems, pytest_xdist_make_scheduler\n"


def run(folder, files, *words, conftest="", **replaced):
    (folder / "conftest.py").write_text(HOOKS + conftest)
    for name, source in files.items():
        (folder / name).write_text(source)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGINS, *options(**replaced), "--rootdir", str(folder), *words, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert time.monotonic() - began < 60
    return done.returncode, done.stdout, re.findall(r"^FAILED \S+::(\w+)", done.stdout, flags=re.MULTILINE)


PASSES = "def test_passes(): pass\n"
DIES = """
import os, signal, threading, time
from functools import partial
from myths.lab.report.parallel_map import parallel_map

def test_crashes():
    os.kill(os.getpid(), signal.SIGSEGV)

def test_comes_after(): pass

def test_is_killed_while_its_children_work():
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    parallel_map([partial(time.sleep, 2)] * 4)

def test_is_the_last(): pass
"""
HANGS = """
import ctypes, time

def test_sleeps(): time.sleep(600)

def test_comes_after(): pass

def test_hangs_where_python_is_not_asked():
    ctypes.PyDLL(None).sleep(600)  # keeps the interpreter's lock
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_test_that_kills_its_worker_is_named_once_and_all_others_run(tmp_path):
    """With one worker, xdist itself waits for ever for a file that the dead one had finished."""
    files = {"test_a.py": PASSES, "test_b.py": DIES, "test_c.py": PASSES}
    status, said, failed = run(tmp_path, files, n=1)
    assert status == 1, said
    assert sorted(failed) == ["test_crashes", "test_is_killed_while_its_children_work"]
    assert "2 failed, 4 passed" in said


@pytest.mark.skipif(sys.platform == "win32", reason="the C library is not found by this name")
def test_a_test_that_hangs_is_named_and_all_others_run(tmp_path):
    files = {"test_a.py": PASSES, "test_b.py": HANGS}
    status, said, failed = run(tmp_path, files, n=1, timeout=2, faulthandler_timeout=4)
    assert status == 1, said
    assert sorted(failed) == ["test_hangs_where_python_is_not_asked", "test_sleeps"]
    assert "2 failed, 2 passed" in said


TOGETHER = """
import time
from pathlib import Path
import pytest

@pytest.mark.parametrize(("mine", "other"), [("a", "b"), ("b", "a")])
def test_meets(mine, other):
    Path(mine).touch()
    began = time.monotonic()
    while not Path(other).exists():
        assert time.monotonic() - began < 30
        time.sleep(0.01)
"""


def test_tests_that_are_handed_out_one_by_one_run_in_several_workers(tmp_path):
    """Two tests that wait for each other end only side by side."""
    status, said, _ = run(tmp_path, {"test_together.py": TOGETHER}, conftest="scheduling.APART = 'test_together.py'\n", n=2)
    assert status == 0, said


def test_files_of_the_list_start_first(tmp_path):
    files = dict.fromkeys(("test_a.py", "test_m.py", "test_z.py"), "def test_order(): open('order', 'a').write(__name__[-1])\n")
    status, said, _ = run(tmp_path, files, conftest="scheduling.FIRST = ('test_z.py', 'test_m.py')\n", n=1)
    assert status == 0, said
    assert (tmp_path / "order").read_text() == "zma"
