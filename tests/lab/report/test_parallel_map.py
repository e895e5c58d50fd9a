"""Work on all cores gives what it gives on one."""

import os
import subprocess
import sys
from concurrent.futures import BrokenExecutor
from functools import partial

import pytest

from myths.lab.errors import CannotStart
from myths.lab.report import parallel_map


def refuse():
    raise CannotStart("no room")


@pytest.fixture(params=[("linux", 3), ("linux", 1), ("win32", 3)], ids=str)
def machine(request, monkeypatch):
    platform, cores = request.param
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(parallel_map, "cores", lambda: cores)
    return request.param


def test_what_tasks_give_comes_in_their_order(machine):
    held = {"what no process could be sent": lambda: 1}  # a lambda cannot be pickled; a task may hold one all the same
    tasks = [partial(lambda n, held: n * n + len(held), n, held) for n in range(7)]
    assert parallel_map.parallel_map(tasks) == [n * n + 1 for n in range(7)]
    assert parallel_map.parallel_map([]) == []


def test_tasks_share_the_work_where_processes_can_be_copied(machine):
    ids = set(parallel_map.parallel_map([os.getpid] * 4))
    assert (os.getpid() in ids) == (machine != ("linux", 3))


@pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux only")
def test_a_process_that_dies_ends_the_work(monkeypatch):
    monkeypatch.setattr(parallel_map, "cores", lambda: 2)
    with pytest.raises(BrokenExecutor):
        parallel_map.parallel_map([partial(os._exit, 1), int])


def test_the_error_of_a_task_is_its_own(machine):
    with pytest.raises(CannotStart, match="no room"):
        parallel_map.parallel_map([int, refuse, int])


TERMINATED = """
import os, signal, threading, time
from myths.lab.execution import interruption
from myths.lab.report import parallel_map

interruption.install()
parallel_map.cores = lambda: 2
os.setpgrp()
threading.Timer(0.5, lambda: os.killpg(0, signal.SIGTERM)).start()
try:
    parallel_map.parallel_map([lambda: time.sleep(5)] * 8)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux only")
def test_a_terminated_process_group_leaves_no_traceback():
    """`timeout` and job schedulers signal all processes of a job. Which thread sees it first is chance, so several are tried."""
    tried = [
        subprocess.Popen([sys.executable, "-c", TERMINATED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert [process.communicate() for process in tried] == [("interrupted\n", "")] * 4
