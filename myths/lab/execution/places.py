"""Choose the machine and device of a trial. Exclusive trials have a device, or a machine, to themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from myths.lab.execution.executors import is_exclusive
from myths.lab.trial import Trial

Span = Literal["slot", "device", "machine"]
"""What a trial has to itself: nothing, its device, or its machine. On a CPU, device and machine are the same."""


@dataclass(frozen=True)
class Machine:
    """A machine that runs trials: this one, or a node of a cluster.

    Attributes:
        name: Name for messages. It is not stored.
        devices: Number of GPUs, or 1 for a CPU.
        slots: Number of trials per device.
        cores: Cores that its trials share.
        machine_class: Machine class, such as "cpu" or "h100".
        host: CPU model and number of cores.
    """

    name: str = "this machine"
    devices: int = 1
    slots: int = 1
    cores: int = 1
    machine_class: str = ""
    host: str = ""

    @property
    def kind(self) -> tuple[str, str]:
        """Machine class and host class. Durations of different kinds are not comparable."""
        return self.machine_class, self.host

    def cores_of(self, span: Span) -> float:
        """Return the cores of a trial."""
        parts = {"machine": 1, "device": self.devices, "slot": self.devices * self.slots}
        return self.cores / parts[span]

    def threads_of(self, span: Span) -> int:
        """Return the threads of a trial, at least 1."""
        return max(1, int(self.cores_of(span)))


@dataclass(eq=False)
class Place:
    """Where a trial runs.

    Attributes:
        trial: The trial.
        machine: The machine.
        device: Index of the device on the machine.
        span: What the trial has to itself.
        concurrent_trials: Largest number of other trials on the same device so far.
    """

    trial: Trial
    machine: Machine
    device: int
    span: Span
    concurrent_trials: int = 0

    @property
    def threads(self) -> int:
        """Number of threads of the trial. A retry alone has as many as the first attempt, so that its numbers are the same."""
        return self.machine.threads_of(span_of(self.trial))


def span_of(trial: Trial, alone: bool = False) -> Span:
    """Return what a trial needs to itself.

    Args:
        trial: The trial.
        alone: Whether it must have the machine to itself in any case.
    """
    if alone or (is_exclusive(trial) and trial.whole_machine):
        return "machine"
    return "device" if is_exclusive(trial) else "slot"


class Places:
    """The machines and the trials that run on them.

    Trials that measure time run on machines of one kind only, so that their durations are comparable.

    Args:
        machines: The machines.
        timed: Kind of the machines for trials that measure time. Default: all.
    """

    def __init__(self, machines: Iterable[Machine], timed: tuple[str, str] | None = None) -> None:
        self._timed = timed
        self._machines = tuple(machines)
        self._running: list[Place] = []

    @property
    def slots(self) -> int:
        """Number of trials that can run at a time."""
        return sum(machine.devices * machine.slots for machine in self._machines)

    def update(self, machines: Iterable[Machine]) -> None:
        """Replace the machines. Trials on a removed machine keep their places until they end, because the machine may come back."""
        self._machines = tuple(machines)

    def find(self, trial: Trial, alone: bool = False) -> Place | None:
        """Return a place where a trial can start now, on the least occupied device, or None.

        Args:
            trial: The trial.
            alone: Whether it needs a machine to itself.
        """
        span = span_of(trial, alone)
        free: list[tuple[float, int, Place]] = []
        for number, machine in enumerate(self._machines):
            if trial.exclusive and self._timed not in (None, machine.kind):
                continue
            loads = _loads(machine, (place for place in self._running if place.machine == machine))
            load, device = min((load, device) for device, load in enumerate(loads))
            admitted = {"slot": load < machine.slots, "device": not load, "machine": not any(loads)}
            if admitted[span]:
                free.append((sum(loads) / (machine.devices * machine.slots), number, Place(trial, machine, device, span)))
        return min(free, key=lambda each: each[:2])[2] if free else None

    def take(self, place: Place) -> None:
        """Start a trial at a place that ``find`` returned."""
        beside = [other for other in self._running if (other.machine, other.device) == (place.machine, place.device)]
        self._running.append(place)
        for each in (*beside, place):
            each.concurrent_trials = max(each.concurrent_trials, len(beside))

    def release(self, place: Place) -> None:
        """End the trial at a place."""
        self._running.remove(place)


def _loads(machine: Machine, running: Iterable[Place]) -> list[int]:
    """Return the number of occupied slots of each device."""
    loads = [0] * machine.devices
    for place in running:
        if place.span == "slot":
            loads[place.device] += 1
        elif place.span == "device":
            loads[place.device] = machine.slots
        else:
            return [machine.slots] * machine.devices
    return loads
