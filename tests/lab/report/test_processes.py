"""Work on all cores gives what it gives on one."""

import os
import sys
from concurrent.futures import BrokenExecutor
from functools import partial

import pytest

from myths.lab.errors import CannotStart
from myths.lab.report import processes


def refuse():
    raise CannotStart("no room")


@pytest.fixture(params=[("linux", 3), ("linux", 1), ("win32", 3)], ids=str)
def machine(request, monkeypatch):
    platform, cores = request.param
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(processes, "cores", lambda: cores)
    return request.param


def test_what_tasks_give_comes_in_their_order(machine):
    held = {"what no process could be sent": lambda: 1}  # a lambda cannot be pickled; a task may hold one all the same
    tasks = [partial(lambda n, held: n * n + len(held), n, held) for n in range(7)]
    assert processes.spread(tasks) == [n * n + 1 for n in range(7)]
    assert processes.spread([]) == []


def test_tasks_share_the_work_where_processes_can_be_copied(machine):
    ids = set(processes.spread([os.getpid] * 4))
    assert (os.getpid() in ids) == (machine != ("linux", 3))


@pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux only")
def test_a_process_that_dies_ends_the_work(monkeypatch):
    monkeypatch.setattr(processes, "cores", lambda: 2)
    with pytest.raises(BrokenExecutor):
        processes.spread([partial(os._exit, 1), int])


def test_the_error_of_a_task_is_its_own(machine):
    with pytest.raises(CannotStart, match="no room"):
        processes.spread([int, refuse, int])
