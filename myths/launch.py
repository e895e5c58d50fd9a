"""Submit a run to Slurm: one job whose nodes run the trials, on several nodes with Ray. Never one job per trial."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths.lab.errors import CannotStart, UsageError

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission
    from submitit.slurm.slurm import SlurmExecutor

GRACE_SECONDS = 120
"""How long before its time limit Slurm signals the job, which then stops the run and requeues itself."""
STOP_SECONDS = 60
"""How long a run may take to stop after an interruption."""
ENDING_SECONDS = 600
"""How long Slurm may take to end a job that it has interrupted."""
_INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)
FILE_SECONDS = 60
"""How long a file of one node may take to appear on another one."""
MAX_MINUTES = 366 * 24 * 60
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
_SET_HERE = {
    "nodes": "--nodes", "time": "--time", "gpus-per-node": "--gpus-per-node", "cpus-per-task": "--cpus-per-node", "ntasks-per-node": "",
    "output": "", "error": "", "signal": "", "open-mode": "", "requeue": "",
}  # fmt: skip
"""Options of sbatch that this module sets, each with the option that changes it; empty if none does."""


def parse_time(text: str) -> int:
    """Return a time limit in minutes.

    Args:
        text: A number with a unit, such as "45m", "8h" or "2d".

    Raises:
        UsageError: It is something else, less than a minute, or more than a year.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([mhd])", text)
    minutes = math.ceil(float(match[1]) * _MINUTES[match[2]]) if match else 0
    if not 1 <= minutes <= MAX_MINUTES:
        raise UsageError(f"Invalid --time {text!r}: expected a number with a unit, from a minute to a year, such as 45m, 8h or 2d")
    return minutes


def parse_sbatch(words: Sequence[str]) -> dict[str, str | bool]:
    """Return further options of sbatch by name.

    Args:
        words: Options as "partition=gpu", or "exclusive" for one without a value.

    Raises:
        UsageError: A word is not an option, or the option is set otherwise.
    """
    found: dict[str, str | bool] = {}
    for word in words:
        match = re.fullmatch(r"-{0,2}([a-z][a-z_-]*)(?:=(.+))?", word)
        if match is None:
            raise UsageError(f"Invalid --sbatch {word!r}: expected an option of sbatch as NAME=VALUE, such as partition=gpu")
        name = match[1].replace("_", "-")
        if name in _SET_HERE:
            raise UsageError(f"Invalid --sbatch {word!r}: {f'use {_SET_HERE[name]}' if _SET_HERE[name] else 'it is set already'}")
        found[name] = match[2] if match[2] is not None else True
    return found


@dataclass(frozen=True)
class Allocation:
    """What a job asks Slurm for.

    Attributes:
        minutes: Time limit.
        nodes: Number of nodes.
        gpus_per_node: GPUs per node. Default: none.
        cpus_per_node: CPU cores per node. Default: that of the cluster.
        restarts: How often the job may be requeued after its time limit.
        sbatch: Further options of sbatch by name.
    """

    minutes: int
    nodes: int = 1
    gpus_per_node: int | None = None
    cpus_per_node: int | None = None
    restarts: int = 10
    sbatch: Mapping[str, str | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class SlurmJob:
    """A run as a job of Slurm.

    Attributes:
        words: The run without ``myths``: ["run", "forgetting", "--profile", "paper"].
        allocation: What it asks for.
        folder: Folder of log and batch script. All nodes must see it under this path.
    """

    words: tuple[str, ...]
    allocation: Allocation
    folder: Path

    @property
    def task(self) -> NodeTask:
        """What each node executes."""
        chosen = any(word.split("=")[0] == "--cluster" for word in self.words)
        if self.allocation.nodes > 1 and not chosen:
            return NodeTask((*self.words, "--cluster", "auto"), self.allocation.nodes, with_ray=True)
        return NodeTask(self.words, self.allocation.nodes, with_ray=chosen)

    def script(self) -> str:
        """Return the batch script, with the command that it executes as a comment. ``submit`` writes the command to a file.

        Raises:
            CannotStart: submitit is not installed.
        """
        executor = self._executor()
        first, rest = executor._make_submission_file_text(executor._submitit_command_str, "").split("\n", 1)
        how = "ray symmetric-run on all nodes; on the first: " if self.task.with_ray else ""
        return f"{first}\n# {how}myths {shlex.join(self.task.words)}\n{rest}"

    def submit(self) -> str:
        """Submit the job and return its id.

        Raises:
            CannotStart: A package or sbatch is missing, the folder cannot be written, or Slurm refuses the job.
        """
        executor = self._executor()
        if self.task.with_ray and importlib.util.find_spec("ray") is None:
            raise CannotStart("A run on several nodes needs Ray: pip install 'seven-myths[slurm,ray]'")
        if (absent := next((name for name in ("sbatch", "srun") if shutil.which(name) is None), None)) is not None:
            raise CannotStart(f"{absent} is not on this machine. Run this command on a login node of a Slurm cluster")
        from submitit.core.utils import FailedJobError

        try:
            with contextlib.redirect_stderr(io.StringIO()):  # submitit prints the error that it raises
                return executor.submit(self.task).job_id
        except FailedJobError as error:
            raise CannotStart(f"Slurm refused the job: {' '.join(str(error).split())}") from error
        except OSError as error:
            raise CannotStart(f"Cannot write {self.folder}: {error.strerror or error}. Use a folder that you can write to") from error

    def log(self, job_id: str) -> Path:
        """Return the log of the first node."""
        return self.folder / f"{job_id}_0_log.out"

    def _executor(self) -> SlurmExecutor:
        if importlib.util.find_spec("submitit") is None:
            raise CannotStart("submitit is not installed: pip install 'seven-myths[slurm]'")
        from submitit.slurm.slurm import SlurmExecutor

        class Executor(SlurmExecutor):
            """The executor also where there is no Slurm, to print the batch script."""

            @classmethod
            def affinity(cls) -> int:
                return 1

        asked = self.allocation
        executor = Executor(self.folder, max_num_timeout=asked.restarts)
        whole_nodes = {"exclusive": True} if self.task.with_ray else {}  # Ray takes its node for itself
        executor.update_parameters(
            job_name="myths",
            time=asked.minutes,
            nodes=asked.nodes,
            ntasks_per_node=1,
            gpus_per_node=asked.gpus_per_node,
            cpus_per_task=asked.cpus_per_node,
            signal_delay_s=GRACE_SECONDS,
            stderr_to_stdout=True,
            srun_args=["--kill-on-bad-exit=1"],
            additional_parameters={"requeue": True, **whole_nodes, **asked.sbatch},
        )
        return executor


class NodeTask:
    """What each node of a job executes: the run, or Ray on all nodes and the run on the first. submitit sends it to the nodes.

    Slurm requeues the job after preemption or the loss of a node, and submitit after the time limit. The run then resumes, because every
    finished trial is stored.
    """

    def __init__(self, words: tuple[str, ...], nodes: int, with_ray: bool) -> None:
        self.words, self.nodes, self.with_ray = words, nodes, with_ray
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        """Run, and exit with the status of the run."""
        from submitit import JobEnvironment

        run = [sys.executable, "-m", "myths", *self.words]
        if not self.with_ray:
            raise SystemExit(self._execute(run, os.environ))
        job = JobEnvironment()
        is_first = job.global_rank == 0
        ended = job.paths.folder / f"{job.job_id}_ended"
        if is_first:
            ended.unlink(missing_ok=True)
        head = f"{job.hostnames[0]}:{20_000 + int(job.raw_job_id) % 10_000}"  # two jobs of a user may share a network
        status = self._execute(self.ray_command(head, is_first, _noting_the_end(run, ended)), _ray_environment())
        if not _appears(ended, 0 if is_first else FILE_SECONDS):
            print("Ray did not start on all nodes: see the lines above.", file=sys.stderr)
            status = status or 1
        raise SystemExit(status)

    def ray_command(self, head: str, is_first: bool, run: Sequence[str]) -> list[str]:
        """Return the command that starts Ray on a node and, on the first node, runs ``run`` and stops Ray.

        Args:
            head: Host name and port of the first node.
            is_first: Whether it is for the first node.
            run: The command of the run.
        """
        ray = [sys.executable, "-m", "ray.scripts.scripts", "symmetric-run", "--address", head, "--min-nodes", str(self.nodes)]
        options = ["--num-cpus", str(len(os.sched_getaffinity(0))), *(["--include-dashboard=false"] if is_first else [])]
        return [*ray, *options, "--", *run]

    def checkpoint(self) -> DelayedSubmission:
        """Stop the run and return the same task, which resumes it. submitit calls this shortly before the time limit."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
            deadline = time.monotonic() + STOP_SECONDS
            while self._process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.2)
        return DelayedSubmission(NodeTask(self.words, self.nodes, self.with_ray))

    def _execute(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a command in a process group of its own and return its exit status.

        Slurm announces preemption and cancellation by SIGTERM, which interrupts the run. A job that ended then would not be requeued.
        """
        deaf = ["sh", "-c", 'trap "" USR2; exec "$@"', "sh", *command]  # all processes get the signal of the time limit
        self._process = subprocess.Popen(deaf, env=dict(environment), start_new_session=True)
        while self._process.poll() is None:  # not wait(): its lock would make checkpoint() wait in vain
            time.sleep(0.2)
        status = self._process.returncode if self._process.returncode >= 0 else 128 - self._process.returncode
        if status in _INTERRUPTED:
            print("Interrupted: waiting for Slurm to requeue or to end the job.", file=sys.stderr)
            time.sleep(ENDING_SECONDS)
        return status

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_process": None}


def _noting_the_end(run: Sequence[str], file: Path) -> list[str]:
    """Return a command that runs another one and creates a file when it has ended. Ray exits with 0 also if it could not start."""
    return ["sh", "-c", '"$@"; status=$?; : > "$0"; exit $status', str(file), *run]


def _appears(file: Path, seconds: float) -> bool:
    """Return whether a file exists, at the latest after some seconds."""
    deadline = time.monotonic() + seconds
    while not file.exists():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.5)
    return True


def _ray_environment() -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])  # it calls `ray start`
    return {**os.environ, "PATH": path, "RAY_USAGE_STATS_ENABLED": "0", "RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT": "300"}
