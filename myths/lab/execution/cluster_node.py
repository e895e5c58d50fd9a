"""What runs on a node of a Ray cluster: its description, the arrival of datasets, and trials."""

from __future__ import annotations

import functools
import gc
import hashlib
import importlib.util
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from myths.lab.data import transfer
from myths.lab.errors import MythsError
from myths.lab.execution.executors import Execution, execute, run_inline
from myths.lab.execution.local_workers import limit_threads
from myths.lab.execution.outcomes import DependencyOutcomes
from myths.lab.measurement import device as devices
from myths.lab.storage import provenance
from myths.lab.trial import Context, Outcome, Trial


@dataclass(frozen=True)
class Wanted:
    """What a run needs on a node.

    Attributes:
        device: "cpu" or "cuda".
        code: Names of the packages and modules that hold the trials.
        data: Content hash of each dataset, by name.
        data_folder: Folder of the datasets on the machine that runs the command. Nodes that share it need no copy.
    """

    device: str
    code: tuple[str, ...] = ("myths",)
    data: Mapping[str, str] = field(default_factory=dict)
    data_folder: str = ""


@dataclass(frozen=True)
class Description:
    """A node as seen by a process on it.

    Attributes:
        software: Versions by name: Python, packages, and the hash of the code that holds the trials.
        machine: The machine as ``provenance.machine`` describes it.
        machine_class: Machine class.
        lacking: Datasets that the node lacks.
        problem: Why the node cannot be used; "" if it can.
    """

    software: Mapping[str, str]
    machine: Mapping[str, Any] = field(default_factory=dict)
    machine_class: str = ""
    lacking: tuple[str, ...] = ()
    problem: str = ""

    @property
    def host(self) -> str:
        """CPU model and number of cores."""
        return provenance.host_class(self.machine)

    @property
    def kind(self) -> tuple[str, str]:
        """Machine class and host class."""
        return self.machine_class, self.host


@functools.cache
def software(code: tuple[str, ...]) -> Mapping[str, str]:
    """Return the versions that results depend on: Python, packages, and for each package of trials the hash of its source.

    Cached: what this process has loaded does not change with its files.
    """
    public = {
        name: version.partition("+")[0] for name, version in provenance.packages((*provenance.PACKAGES, *provenance.FRAMEWORKS)).items()
    }
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, **public, **{f"the code of {name}": _code_sha256(name) for name in code}}


def _code_sha256(name: str) -> str:
    """Return the hash of the Python files of a package or module, or "not installed"."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return "not installed"
    digest = hashlib.sha256()
    for folder in spec.submodule_search_locations or [""]:
        for path in sorted(Path(folder).rglob("*.py")) if folder else [Path(str(spec.origin))]:
            digest.update(f"{path.relative_to(folder).as_posix() if folder else path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def describe(wanted: Wanted) -> Description:
    """Describe this node: software, machine, and the datasets that it lacks."""
    use_data_folder(wanted.data_folder)
    found = Description(software(wanted.code))
    if wanted.device == "cuda":
        import torch

        os.environ.pop("CUDA_VISIBLE_DEVICES", None)  # Ray hides all GPUs from tasks that use none
        if not torch.cuda.is_available():
            return replace(found, problem="it offers GPUs to Ray, but torch sees none on it. Install a torch with CUDA and a driver there")
    lacking, problem = transfer.wanting(wanted.data)
    machine = provenance.machine(wanted.device)
    return replace(found, machine=machine, machine_class=devices.machine_class(wanted.device), lacking=tuple(lacking), problem=problem)


def use_data_folder(folder: str) -> None:
    """Read datasets from a folder that this node shares with others, unless ``MYTHS_DATA`` names another one on this node."""
    if folder and "MYTHS_DATA" not in os.environ and Path(folder).is_dir():
        os.environ["MYTHS_DATA"] = folder


def receive(part: transfer.Part | None, name: str, sha256: str, source: str) -> str:
    """Write a part of a dataset, or finish it if there is none. Return an error, or ""."""
    try:
        if part is not None:
            transfer.write(part, name, source)
        else:
            transfer.finish(name, sha256, source)
    except MythsError as error:
        return str(error)
    return ""


@dataclass(frozen=True)
class RemoteArrays(Mapping[str, np.ndarray]):
    """Arrays in the object store of the cluster, fetched on access.

    Attributes:
        references: Reference to each array, by name.
    """

    references: Mapping[str, Any]

    def __getitem__(self, name: str) -> np.ndarray:
        import ray

        return np.array(ray.get(self.references[name]))  # a copy: arrays in the object store are read-only

    def __iter__(self) -> Iterator[str]:
        return iter(self.references)

    def __len__(self) -> int:
        return len(self.references)


class TrialRunner:
    """Runs one trial after another in a process of its own.

    Args:
        threads: Number of threads.
        shared: Whether other trials use the device.
        data_folder: Folder of the datasets on the machine that runs the command.
    """

    def __init__(self, threads: int, shared: bool, data_folder: str) -> None:
        use_data_folder(data_folder)
        limit_threads(threads)
        self._execute: Callable[[Trial, Context], Execution] = run_inline if shared else execute

    def run(self, trial: Trial, context: Context) -> Execution:
        """Run a trial."""
        if trial.memory_limit_bytes is None:
            return self._execute(trial, context)
        _release_memory(context.device)
        return execute(trial, _with_arrays(context))


def _with_arrays(context: Context) -> Context:
    """Return a context with the arrays themselves, for a process that has no connection to the cluster."""
    if not isinstance(context.outcomes, DependencyOutcomes):
        return context
    by_id = {identity: Outcome(outcome.rows, dict(outcome.arrays)) for identity, outcome in context.outcomes.by_id.items()}
    return replace(context, outcomes=DependencyOutcomes(by_id))


def _release_memory(device: str) -> None:
    """Return the memory of earlier trials to the system and the GPU, before another process measures memory."""
    gc.collect()
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()
