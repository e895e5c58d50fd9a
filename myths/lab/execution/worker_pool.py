"""Run several trials in parallel: on the cores or GPUs of this machine, or on the nodes of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from myths.lab.execution.executors import Execution
from myths.lab.execution.local_workers import LocalGpus, LocalWorkers, Worker, this_machine
from myths.lab.execution.places import Machine, Place, Places
from myths.lab.execution.resources import busy_cores, cores, free_bytes
from myths.lab.measurement.timing import Stopwatch
from myths.lab.trial import Context, Trial

MAX_DEFAULT_JOBS = 4
"""Default upper bound on parallel trials on a CPU."""
WORKER_BYTES = 2 * 2**30
"""Memory that a worker may use."""


def default_jobs(device: str) -> int:
    """Return the default number of parallel trials per device.

    On a GPU the default is 1. On a CPU it is one per thread that torch would use, at most ``MAX_DEFAULT_JOBS``. It is lower if other
    processes use the cores or if free memory does not suffice for the workers.
    """
    import torch

    if device != "cpu":
        return 1
    idle = torch.get_num_threads() - round(busy_cores())
    return max(1, min(MAX_DEFAULT_JOBS, idle, free_bytes("cpu") // WORKER_BYTES))


def excess_jobs_warning(jobs: int, device: str) -> str | None:
    """Return a warning if the number of parallel trials exceeds the number of cores, or None."""
    if device != "cpu" or jobs <= (most := cores()):
        return None
    return (
        f"--jobs {jobs} exceeds the {most} core{'s' * (most > 1)} of this machine: trials wait for each other, and each worker needs "
        f"memory. --jobs {most} is as fast"
    )


@runtime_checkable
class Workers(Protocol):
    """Starts workers on machines and waits for them."""

    @property
    def machines(self) -> Sequence[Machine]:
        """The machines that workers can be started on. They may change in ``wait``."""

    def start(self, place: Place) -> Worker:
        """Return a worker for a place."""

    def wait(self, busy: Sequence[Any], timeout: float | None) -> Worker | None:
        """Return a worker whose trial has ended; None after ``timeout`` seconds, or if the machines changed."""


def local_pool(jobs: int, device: str = "cpu", bounded: bool = False) -> WorkerPool:
    """Return a pool of this machine.

    Args:
        jobs: Number of parallel trials per device.
        device: Device as torch names it; "cuda" stands for all GPUs of one model.
        bounded: Whether every trial must be stoppable.
    """
    gpus = LocalGpus.of(device)
    return WorkerPool(LocalWorkers(this_machine(jobs, gpus), gpus, bounded))


class WorkerPool:
    """Runs trials in parallel in persistent workers, which share the cores of their machine.

    An exclusive trial has its device, or its machine, to itself and uses its share of the cores.

    Args:
        workers: Starts the workers.
        timed: Machine class and host class of the machines for trials that measure time. Default: all machines.
    """

    def __init__(self, workers: Workers, timed: tuple[str, str] | None = None):
        self._workers = workers
        self._places = Places(workers.machines, timed)
        self._idle: list[_Job] = []
        self._busy: list[_Job] = []

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *error: object) -> None:
        for job in self._idle + self._busy:
            job.worker.close()
        self._idle, self._busy = [], []

    @property
    def max_workers(self) -> int:
        """Maximum number of trials that run at a time."""
        return self._places.slots

    def accepts(self, trial: Trial, alone: bool = False) -> bool:
        """Return whether the trial can start now. ``alone``: it needs a machine to itself."""
        return self._places.find(trial, alone) is not None

    def submit(self, trial: Trial, context: Context, alone: bool = False) -> None:
        """Give the trial to an idle or new worker."""
        place = self._places.find(trial, alone)
        assert place is not None
        self._places.take(place)
        worker = self._idle_worker(place) or self._workers.start(place)
        worker.submit(trial, context)
        self._busy.append(_Job(place, worker))

    def wait_any(self, timeout: float | None = None) -> tuple[Trial, Execution] | None:
        """Return the trial that completes first. After ``timeout`` seconds, stop a trial and return it.

        A crashed worker fails only its own trial. If machines were added or lost, return None.
        """
        stopwatch = Stopwatch().__enter__()
        worker = self._workers.wait([job.worker for job in self._busy], timeout)
        if worker is None and self._busy and timeout is not None and stopwatch.elapsed >= timeout:
            job = self._busy[0]
            execution = Execution(None, job.stopwatch.elapsed, 0, stopped=True)
        elif worker is None:
            self._update()
            return None
        else:
            job = next(job for job in self._busy if job.worker is worker)
            execution = worker.result()
        self._busy.remove(job)
        self._places.release(job.place)
        self._idle.append(job)
        if execution.stopped or not job.worker.reusable:
            self._close(job)
        self._update()
        machine = job.place.machine
        return job.place.trial, replace(
            execution, concurrent_trials=job.place.concurrent_trials, machine_class=machine.machine_class, host=machine.host
        )

    def _idle_worker(self, place: Place) -> Worker | None:
        """Return an idle worker of the same kind, and close idle ones that hold memory or cores that a trial needs."""
        for job in self._idle:
            if job.serves(place):
                self._idle.remove(job)
                return job.worker
        for job in [job for job in self._idle if job.hinders(place)]:
            self._close(job)
        return None

    def _close(self, job: _Job) -> None:
        self._idle.remove(job)
        job.worker.close()

    def _update(self) -> None:
        self._places.update(self._workers.machines)
        for job in [job for job in self._idle if job.place.machine not in self._workers.machines]:
            self._close(job)


@dataclass(eq=False)
class _Job:
    """A worker and the trial that it runs or has run last."""

    place: Place
    worker: Worker
    stopwatch: Stopwatch = field(default_factory=lambda: Stopwatch().__enter__())

    def serves(self, place: Place) -> bool:
        """Return whether the worker, which is idle, has the device and the cores of a place."""
        same = (self.place.machine, self.place.device, self.place.span) == (place.machine, place.device, place.span)
        capped = place.trial.memory_limit_bytes is not None
        return same and self.place.threads == place.threads and (self.worker.limits_memory or not capped)

    def hinders(self, place: Place) -> bool:
        """Return whether the worker, which is idle, holds what a trial with a device or a machine to itself needs."""
        if self.place.machine != place.machine:
            return False
        whole = "machine" in (self.place.span, place.span)
        return whole or (self.place.device == place.device and (place.span == "device" or self.place.span == "device"))
