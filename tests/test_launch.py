"""myths launch slurm: one job, requeued, on a real Slurm where there is one; every mistake is told before anything is submitted."""

import contextlib
import importlib.util
import io
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from myths import cli, launch
from myths.lab.errors import UsageError
from tests import slurm_cluster
from tests.test_adding_a_myth import install

ROOT = Path(__file__).parent.parent
WORDS = ("run", "forgetting", "--profile", "paper")


def options(script):
    """The options of sbatch in a batch script."""
    return dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", script, re.MULTILINE))


def job(tmp_path, words=WORDS, **asked):
    return launch.SlurmJob(words, launch.Allocation(**{"minutes": 480, **asked}), tmp_path)


@pytest.mark.parametrize(("text", "minutes"), [("45m", 45), ("8h", 480), ("2d", 2880), ("1.5h", 90), ("90.5m", 91)])
def test_a_time_limit_has_a_unit(text, minutes):
    assert launch.parse_time(text) == minutes


@pytest.mark.parametrize("text", ["", "8", "8 h", "-1h", "0m", "1:30:00", "90s", "h", "400d", "9999999999d"])
def test_another_time_limit_is_refused(text):
    with pytest.raises(UsageError, match=r"Invalid --time .*such as 45m, 8h or 2d"):
        launch.parse_time(text)


def test_the_script_asks_for_one_job_with_one_task_per_node(tmp_path):
    asked = {"nodes": 4, "gpus_per_node": 8, "cpus_per_node": 64, "sbatch": {"partition": "gpu", "qos": "long"}}
    script = job(tmp_path, **asked, words=(*WORDS, "--cluster", "auto")).script()
    found = options(script)
    assert found | {
        "nodes": "4", "ntasks-per-node": "1", "gpus-per-node": "8", "cpus-per-task": "64", "time": "480", "requeue": "", "exclusive": "",
        "partition": "gpu", "qos": "long", "open-mode": "append", "signal": "USR2@120",
    } == found  # fmt: skip
    assert "array" not in found
    assert len(re.findall(r"^srun ", script, re.MULTILINE)) == 1
    assert f"{sys.executable} -u -m submitit.core._submit" in script


def test_several_nodes_run_ray_and_one_node_runs_without(tmp_path, monkeypatch):
    assert job(tmp_path, nodes=4).task.words == (*WORDS, "--cluster", "auto")
    assert job(tmp_path, nodes=4).task.with_ray
    assert job(tmp_path, words=(*WORDS, "--cluster=auto"), nodes=4).task.words == (*WORDS, "--cluster=auto")
    assert job(tmp_path, words=(*WORDS, "--cluster", "auto")).task.with_ray
    assert not job(tmp_path).task.with_ray
    assert "exclusive" not in options(job(tmp_path).script())
    command, other = (job(tmp_path, nodes=4).task.ray_command("node7:20123", is_first, ["myths", "run"]) for is_first in (True, False))
    assert command[:4] == [sys.executable, "-m", "ray.scripts.scripts", "symmetric-run"]
    assert command[command.index("--address") + 1] == "node7:20123"
    assert command[command.index("--min-nodes") + 1] == "4"
    assert command[-4:] == ["--include-dashboard=false", "--", "myths", "run"]
    assert "--include-dashboard=false" not in other  # Ray accepts it on the first node only


def test_the_end_of_a_run_is_noted_and_its_status_kept(tmp_path):
    command = launch._noting_the_end([sys.executable, "-c", "import sys; sys.exit(7)"], tmp_path / "ended here")
    assert subprocess.run(command, check=False).returncode == 7
    assert (tmp_path / "ended here").exists()


def test_a_checkpoint_stops_the_run_and_returns_the_same_task(tmp_path):
    """The run gets the signal of Ctrl-C and has time to end; the task can be sent to the nodes again."""
    task = launch.NodeTask(WORDS, 1, with_ray=False)
    code = "import signal, sys, time\ntry:\n print('up', flush=True)\n time.sleep(60)\nexcept KeyboardInterrupt: sys.exit(130)"
    task._process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert task._process.stdout.readline() == b"up\n"
    again = task.checkpoint().function
    assert task._process.returncode == 130
    task._process.stdout.close()
    for each in (again, pickle.loads(pickle.dumps(task))):
        assert (each.words, each.nodes, each.with_ray, each._process) == (WORDS, 1, False, None)


def test_the_status_of_a_killed_run_is_that_of_a_shell():
    task = launch.NodeTask(WORDS, 1, with_ray=False)
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert task._execute([sys.executable, "-c", kill], os.environ) == 128 + signal.SIGKILL


def said(*words):
    """Exit status and output of the command, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stopped:
        cli.app(list(words), prog_name="myths")
    return stopped.value.code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--time", "8", "--", "run"), "Invalid --time '8': expected a number with a unit"),
        (("--time", "8h", "--", "report"), "Cannot launch `myths report`: only `run` can be launched"),
        (("--time", "8h", "--", "run", "--prfile", "paper"), "No such option"),
        (("--time", "8h", "--", "run", "--profile", "papper"), "Unknown profile 'papper'"),
        (("--time", "8h", "--", "run", "forgeting"), "Unknown myth 'forgeting'"),
        (("--time", "8h", "--", "run", "--seeds", "many"), "myths run: Invalid value for '--seeds'"),
        (("--time", "8h", "--", "run", "wiring", "--trial", "Nope"), "Unknown --trial 'Nope'"),
        (("--time", "8h", "--", "run", "wiring", "--claim", "X1"), "Unknown --claim 'X1'"),
        (("--time", "8h", "--", "run", "--shard", "3/2"), "Invalid --shard 3/2"),
        (("--time", "8h", "--", "run", "--first-seed", "5"), "Invalid --first-seed 5"),
        (("--time", "8h", "--", "run", "--run", "../x"), "Invalid --run '../x'"),
        (("--time", "8h", "--", "run", "--cluster", "ray://x:1"), "Invalid --cluster 'ray://x:1'"),
        (("--time", "8h", "--", "run", "--dry-run"), "A job does not run with --dry-run"),
        (("--time", "8h", "--", "run", "--json"), "A job does not run with --dry-run"),
        (("--time", "8h", "--", "run", "--device", "gpu"), "Invalid --device 'gpu'"),
        (("--time", "8h", "--", "run", "--again", "1a2b", "--claim", "W1"), "--again 1a2b excludes --claim and --trial"),
        (("--time", "8h", "--", "run", "--run", ""), "Invalid --run ''"),
        (("--time", "8h", "--", "run", "--data", "a,,b"), "--data 'a,,b' contains an empty name"),
        (("--time", "8h", "--", "run", "--budget", "9"), "Invalid --budget '9'"),
        (("--time", "8h", "--", "run", "--from", "nothing"), "nothing"),
        (("--time", "8h", "--sbatch", "Partition gpu", "--", "run"), "Invalid --sbatch 'Partition gpu': expected"),
        (("--time", "8h", "--sbatch", "nodes=2", "--", "run"), "Invalid --sbatch 'nodes=2': use --nodes"),
        (("--time", "8h", "--sbatch", "--signal=USR1", "--", "run"), "it is set already"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_submitted(words, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    status, _, wrong = said("launch", "slurm", *words)
    assert error in wrong
    assert status == 2
    assert len(wrong.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("absent", "nodes", "error"),
    [
        ("submitit", "1", "submitit is not installed: pip install 'seven-myths[slurm]'"),
        ("ray", "2", "A run on several nodes needs Ray: pip install 'seven-myths[slurm,ray]'"),
        ("sbatch", "1", "sbatch is not on this machine. Run this command on a login node of a Slurm cluster"),
    ],
)
def test_what_is_missing_is_one_line_and_nothing_is_submitted(absent, nodes, error, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == absent else find(name, *rest))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    status, _, wrong = said("launch", "slurm", "--time", "8h", "--nodes", nodes, "--", *WORDS)
    assert status == 3
    assert wrong.strip() == f"myths: {error}"
    assert not list(tmp_path.rglob("*.sh"))


def test_a_dry_run_prints_the_script_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    status, printed, _ = said("launch", "slurm", "--time", "1h", "--sbatch", "partition=gpu", "--dry-run", "--", *WORDS)
    assert status == 0
    assert printed.startswith("#!/bin/bash")
    assert options(printed)["partition"] == "gpu"
    assert f"# myths {' '.join(WORDS)}\n" in printed
    assert not list(tmp_path.iterdir())


# --- a real Slurm ----------------------------------------------------------------------------------

NAPS = """
from dataclasses import dataclass
import time
from myths.lab.criterion import at_least
from myths.lab.claim import Claim
from myths.lab.measures import largest
from myths.lab.myth import Myth, Paper
from myths.lab.trial import Outcome, Trial

@dataclass(frozen=True, kw_only=True)
class Nap(Trial):
    seed: int = 0
    def run(self, context):
        time.sleep(1)
        return Outcome(rows=[{"dataset": "none", "slept": 1.0}])

PAPER = Paper("A", 2020, "B", "C", "https://example.org")
CLAIM = Claim(id="N1", statement="Naps end.", source="here", paper_value_source="computed", table="naps", trial=Nap,
              measure=lambda rows: largest("slept", rows), criterion=at_least(1), repetition_unit="exact", primary=True)
MYTH = Myth(name="naps", number=14, belief="a", rebuttal="b", discussion="", papers=(PAPER,), trial_types=(Nap,),
            trials=lambda profile, seeds, data: [Nap(seed=seed) for seed in range(seeds or 4)],
            tables={"naps": lambda results: results.frame(Nap)}, claims=(CLAIM,), figures={},
            verdict_texts={"refuted": "a", "standing": "b"})
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if why := slurm_cluster.missing():
        pytest.skip(why)
    with slurm_cluster.slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def call(cluster, tmp_path):
    packages, work = tmp_path / "packages", tmp_path / "work"
    packages.mkdir()
    work.mkdir()
    install(packages, "naps", NAPS, "[myths]\nnaps = naps:MYTH\n")
    environment = {**cluster, "PYTHONPATH": os.pathsep.join([str(packages), str(ROOT)]), "MYTHS_DATA": str(tmp_path)}

    def call(*words, status=0):
        done = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    call.work = work
    return call


def wait(ready, seconds=120):
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.3)
    return found


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.skipif("MYTHS_QUIET_MACHINE" not in os.environ, reason="takes minutes on a busy machine: set MYTHS_QUIET_MACHINE=1")
def test_a_job_is_requeued_after_preemption_and_at_its_time_limit_and_resumes(call):
    """First a job of a higher partition takes the node, then comes the signal of the time limit. No finished trial is lost or run twice."""
    myths = (sys.executable, "-m", "myths")
    run = ("run", "naps", "--seeds", "9", "--jobs", "1")
    printed = call(*myths, "launch", "slurm", "--time", "30m", "--sbatch", "partition=low", "--", *run)
    identity = re.search(r"submitted: job (\d+)", printed)[1]
    log = call.work / re.search(r"log: (\S+);", printed)[1]
    stored = call.work / "results" / "local" / "cpu-quick" / "naps" / "trials.jsonl"

    def has(word):
        return word in call("scontrol", "show", "job", identity)

    def restart():
        wait(lambda: has("JobState=PENDING") or has("JobState=RUNNING"))
        if has("JobState=PENDING"):  # a requeued job waits for two minutes
            call("scontrol", "update", f"jobid={identity}", "starttime=now")

    try:
        wait(lambda: len(lines(stored)) >= 2)
        call("sbatch", "--partition=high", "--exclusive", "--output=/dev/null", "--wait", "--wrap=true")
        preempted = lines(stored)
        assert has("Restarts=1")
        restart()
        wait(lambda: len(lines(stored)) >= len(preempted) + 2)
        call("scancel", "--signal=USR2", identity)
        wait(lambda: has("Restarts=2"))
        stopped = lines(stored)
        restart()
        wait(lambda: has("JobState=COMPLETED"))
    finally:
        print(log.read_text() if log.exists() else "no log")
        call("scancel", identity)
    done = lines(stored)
    assert 2 <= len(preempted) < len(stopped) < len(done)
    assert (done[: len(preempted)], done[: len(stopped)]) == (preempted, stopped)
    assert len(done) == len({line["id"] for line in done}) == 9
    assert {line["status"] for line in done} == {"ok"}
    assert log.read_text().count("Interrupted. Finished trials are saved") == 2  # the run stops as after Ctrl-C
    metadata = json.loads((stored.parent.parent / "run.json").read_text())
    assert len(metadata["invocations"]) == len({line["invocation"] for line in done}) == 3


def test_a_refused_job_is_one_line(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    status, _, wrong = said("launch", "slurm", "--time", "30m", "--sbatch", "partition=gold", "--", *WORDS)
    assert status == 3
    assert wrong.startswith("myths: Slurm refused the job: ")
    assert "invalid partition" in wrong
    assert len(wrong.strip().splitlines()) == 1
