"""Trials on the nodes of a Ray cluster: the results of one machine, whatever happens to the nodes and to the command.

This file is also the program that is killed: ``python test_cluster.py ADDRESS FOLDER``.
"""

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("ray", reason="Ray is not installed: pip install 'seven-myths[ray]'")

from myths import cli, doctor
from myths.lab.analysis import analyze
from myths.lab.data import prepared
from myths.lab.errors import CannotStart, UsageError
from myths.lab.execution import cluster as clusters
from myths.lab.execution import cluster_node, runner, session
from myths.lab.execution.cluster import Cluster, parse_address
from myths.lab.execution.cluster_node import Wanted
from myths.lab.execution.cluster_workers import ClusterWorkers
from myths.lab.execution.executors import SerialExecutor
from myths.lab.execution.runner import Invocation
from myths.lab.execution.session import RunRequest
from myths.lab.execution.worker_pool import WorkerPool
from myths.lab.storage import provenance
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import Store
from myths.lab.trial import Context, Outcome, Trial
from tests.lab.report.coin import COIN, Toss
from tests.simulated_cluster import SimulatedCluster

GIGABYTE = 2**30
QUIET = pytest.mark.skipif("MYTHS_QUIET_MACHINE" not in os.environ, reason="takes minutes on a busy machine: set MYTHS_QUIET_MACHINE=1")


@dataclass(frozen=True, kw_only=True)
class Draw(Trial):
    """Random numbers, as rows and arrays. It leaves a trace when it starts."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"process", "begun", "ended"})
    seed: int
    seconds: float = 0.0
    trace: str = ""

    def run(self, context: Context) -> Outcome:
        begun = time.time()
        if self.trace:
            with Path(self.trace).open("ab", buffering=0) as file:
                file.write(f"{self.id}\n".encode())
        time.sleep(self.seconds)
        numbers = context.rng("numbers").normal(size=2000)
        row = {"mean": numbers.mean(), "process": os.getpid(), "begun": begun, "ended": time.time()}
        return Outcome([row], {"numbers": numbers, "large": np.full(200_000, self.seed)})


@dataclass(frozen=True, kw_only=True)
class Waits(Draw):
    """Ends when a file exists."""

    gate: str

    def run(self, context: Context) -> Outcome:
        found = super().run(context)
        _until(Path(self.gate).exists)
        return found


@dataclass(frozen=True, kw_only=True)
class Timed(Draw):
    """Has a node for itself, and a process with a memory limit."""

    exclusive: ClassVar[bool] = True
    memory_limit_bytes: ClassVar[int | None] = 3 * GIGABYTE


@dataclass(frozen=True, kw_only=True)
class Sum(Trial):
    """Adds the arrays of others, and takes memory if asked to."""

    memory_limit_bytes: ClassVar[int | None] = 3 * GIGABYTE
    draws: tuple[Draw, ...]
    take_bytes: int = 0

    def run(self, context: Context) -> Outcome:
        taken = np.ones(self.take_bytes, np.uint8)
        arrays = [context.outcome(draw).arrays for draw in self.draws]
        arrays[0]["numbers"][0] += 0.0  # they can be written to, as those of one machine
        total = sum(float(each["numbers"].sum()) + int(each["large"].sum()) for each in arrays)
        return Outcome([{"sum": total, "bytes": len(taken)}])


@dataclass(frozen=True, kw_only=True)
class Faulty(Trial):
    """Raises, or ends its process."""

    how: str

    def run(self, context: Context) -> Outcome:
        if self.how == "raise":
            raise ValueError("as asked")
        os._exit(3)


@dataclass(frozen=True, kw_only=True)
class Mean(Trial):
    """Reads a dataset, and says where."""

    dataset: str
    seed: int
    seconds: float = 0.5

    @property
    def data(self) -> tuple[str, ...]:
        return (self.dataset,)

    def run(self, context: Context) -> Outcome:
        time.sleep(self.seconds)
        return Outcome(
            [{"mean": float(prepared.load(self.dataset)["x"].mean()), "folder": str(prepared.require(self.dataset).path.parent)}]
        )


KINDS = {kind.__name__: kind for kind in (Draw, Waits, Timed, Sum, Faulty, Mean)}
CODE = ("myths", "tests.lab.test_cluster")


@pytest.fixture(scope="module")
def simulated():
    cluster = SimulatedCluster()
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def two_nodes(simulated):
    return [simulated.add(cpus=2), simulated.add(cpus=2)]


def go(trials, folder: Path, address: str | None = None, *, during=lambda: None, said=None, data=None):
    """Run trials on this machine, or on a cluster."""
    store = Store(folder, KINDS)
    plan = runner.plan(trials, store, lambda name: None)
    if address is None:
        progress = runner.run(plan, store, Invocation("cpu", lambda name: None, "i"), executor=SerialExecutor())
        return progress, store.records
    cluster = Cluster.connect(address, (said if said is not None else []).append)
    try:
        workers = ClusterWorkers(cluster, Wanted("cpu", CODE, data or {}, str(prepared.roots()[0])), jobs=2)
        with WorkerPool(workers) as executor:
            during()
            progress = runner.run(plan, store, Invocation("cpu", lambda name: None, "i"), executor=executor)
    finally:
        cluster.close()
    return progress, store.records


class Beside(threading.Thread):
    """A thread whose error is raised when it is joined."""

    error: BaseException | None = None

    def run(self):
        try:
            super().run()
        except BaseException as error:  # noqa: BLE001 (raised again below)
            self.error = error

    def join(self, timeout=None):
        super().join(timeout)
        if self.error is not None:
            raise self.error


def comparable(records):
    """The results without what differs between two executions."""
    return {
        record.trial.id: (
            record.status, record.error, dict(record.arrays),
            [{k: v for k, v in row.items() if k not in record.trial.nondeterministic_columns} for row in record.rows],
        )
        for record in records
    }  # fmt: skip


def test_the_results_are_those_of_one_machine(simulated, two_nodes, tmp_path):
    draws = tuple(Draw(seed=i, seconds=0.2) for i in range(6))
    timed = tuple(Timed(seed=i, seconds=0.5) for i in range(2))
    trials = [
        *draws, *timed, Sum(draws=draws[:3]), Sum(draws=(draws[4], timed[0])), Sum(draws=(draws[0],), take_bytes=4 * GIGABYTE),
        Faulty(how="raise"),
    ]  # fmt: skip
    _, here = go(trials, tmp_path / "here")
    progress, there = go(trials, tmp_path / "there", simulated.address)
    assert comparable(there) == comparable(here)
    assert (progress.finished, len(progress.failed)) == (len(trials) - 1, 1)
    rows = {record.trial: record.rows[0] for record in there if isinstance(record.trial, Draw)}
    assert os.getpid() not in {row["process"] for row in rows.values()}
    assert {record.concurrent_trials for record in there if isinstance(record.trial, Timed)} == {0}
    assert {record.device for record in there} == {"cpu"}
    (host,) = {record.host for record in there}
    assert host.endswith(f"{os.cpu_count()} cores")


def test_a_process_that_dies_fails_its_own_trial_after_a_second_attempt(simulated, two_nodes, tmp_path):
    progress, records = go([Faulty(how="die"), *(Draw(seed=i) for i in range(4))], tmp_path, simulated.address)
    assert (progress.finished, len(progress.failed)) == (4, 1)
    (failed,) = [record for record in records if record.status == "failed"]
    assert failed.error.startswith("the worker process on a node ended")


def test_a_node_that_is_killed_costs_an_attempt_and_nothing_else(simulated, two_nodes, tmp_path):
    """Three rounds. In each, one node is killed at a random moment, used already or not yet, and another one joins."""
    chance, folder, trace, said = random.Random(0), tmp_path / "run", tmp_path / "trace", []
    trace.touch()
    trials = [Draw(seed=i, seconds=0.25, trace=str(trace)) for i in range(70)]
    trials.append(Sum(draws=tuple(trials[:5])))
    finished: list[Counter[str]] = []

    def disturb():
        for turn in range(3):
            enough = min(len(trace.read_text().split()) + 8, 60)  # on a busy machine the trials may be done before the last round
            _until(lambda enough=enough: len(trace.read_text().split()) >= enough)
            time.sleep(chance.uniform(0, 0.5))
            ended = {record.trial.id for record in Store(folder, KINDS).records}
            finished.append(Counter(identity for identity in trace.read_text().split() if identity in ended))
            simulated.kill(two_nodes[turn % 2])
            two_nodes[turn % 2] = simulated.add(cpus=2)

    thread = Beside(target=disturb)
    progress, records = go(trials, folder, simulated.address, during=thread.start, said=said)
    thread.join()
    starts = Counter(trace.read_text().split())
    assert (progress.finished, progress.failed) == (len(trials), [])
    assert Counter(record.status for record in records) == {"ok": len(trials)}
    assert len(finished) == 3
    assert all(starts[identity] == n for ended in finished for identity, n in ended.items()), "what had finished did not start again"
    assert starts.total() <= 70 + 3 * 2, "only what ran on a lost node runs again"
    assert 1 <= sum(" was lost (" in line for line in said) <= 3, said


@QUIET
def test_a_node_that_is_added_is_used(simulated, two_nodes, tmp_path):
    """All places are taken by trials that wait. They end when a trial has started on a new node."""
    trace, gate, said = tmp_path / "trace", tmp_path / "gate", []
    trace.touch()
    trials = [Waits(seed=i, trace=str(trace), gate=str(gate)) for i in range(7)]
    added = []

    def add():
        _until(lambda: len(trace.read_text().split()) == 4)
        added.append(simulated.add(cpus=2))
        _until(lambda: len(trace.read_text().split()) == 6)
        gate.touch()

    thread = Beside(target=add)
    try:
        progress, _ = go(trials, tmp_path / "run", simulated.address, during=thread.start, said=said)
        thread.join()
    finally:
        for node in added:
            simulated.kill(node)
    assert (progress.finished, progress.failed) == (7, [])
    assert sum(line.endswith(" was added") for line in said) == 1, said


def _until(holds, seconds: float = 240):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@QUIET
def test_a_command_that_is_killed_goes_on_where_it_was(simulated, two_nodes, tmp_path):
    folder, trace = tmp_path / "run", tmp_path / "trace"
    trace.touch()
    process = subprocess.Popen([sys.executable, __file__, simulated.address, str(folder)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(trace.read_text().split()) < 8 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate(timeout=60)
    before = {record.trial.id for record in Store(folder, KINDS).records}
    assert 0 < len(before) < 30
    progress, records = go(_slow(folder), folder, simulated.address)
    assert progress.finished == 30 - len(before)
    assert Counter(record.trial.id for record in records) == Counter(trial.id for trial in _slow(folder))
    starts = Counter(trace.read_text().split())
    assert {starts[identity] for identity in before} == {1}
    assert starts.total() <= 30 + 4


def _slow(folder: Path) -> list[Draw]:
    return [Draw(seed=i, seconds=0.2, trace=str(folder.parent / "trace")) for i in range(30)]


@QUIET
def test_a_dataset_is_sent_to_the_nodes_that_lack_it_once(simulated, two_nodes, tmp_path, monkeypatch):
    """Two nodes share the folder of this process. A third one has a folder of its own."""
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "here"))
    x = np.arange(100_000.0)
    data = {"numbers": prepared.save("numbers", {"x": x}, "a test", "").sha256}
    node = simulated.add(cpus=2, data=tmp_path / "there")
    try:
        said: list[str] = []
        _, records = go([Mean(dataset="numbers", seed=i) for i in range(8)], tmp_path / "run", simulated.address, said=said, data=data)
        assert [line for line in said if line.startswith("Sent")] == ["Sent numbers (0.8 MB) to 1 node"]
        assert {record.rows[0]["mean"] for record in records} == {x.mean()}
        assert {record.rows[0]["folder"] for record in records} == {str(tmp_path / "here"), str(tmp_path / "there")}
        go([Mean(dataset="numbers", seed=9)], tmp_path / "run", simulated.address, said=(again := []), data=data)
        assert again == []
        (tmp_path / "there" / "numbers.npz").unlink()
        (tmp_path / "there" / "numbers.json").unlink()
        monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "there"))
        prepared.save("numbers", {"x": x + 1}, "a test", "")
        monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "here"))
        with pytest.raises(CannotStart, match=r"Node .*: its dataset numbers has other contents"):
            go([Mean(dataset="numbers", seed=10)], tmp_path / "run", simulated.address, data=data)
    finally:
        simulated.kill(node)


def test_a_run_records_the_kinds_of_nodes_and_no_address(simulated, two_nodes, tmp_path):
    tosses = [Toss(coin="ducat", seed=seed) for seed in range(4)]
    myth = replace(COIN, trials=lambda profile, seeds, data: tosses)
    cluster, device = session.open_cluster(simulated.address, "auto", [myth], lambda line: None)
    run = RunFolder(tmp_path / "cpu-quick")
    request = RunRequest(myths=[myth], profile="quick", run=run, device=device, cluster=cluster, jobs=2)
    assert (device, request.machine_class) == ("cpu", "cpu")
    assert session.run(request, lambda myth, plan: lambda trial, record: None)["fair-coin"].progress.finished == 4
    text = (run.path / "run.json").read_text()
    (invocation,) = json.loads(text)["invocations"]
    (kind,) = invocation["nodes"]
    assert (kind["nodes"], kind["machine_class"], kind["machine"]) == (2, "cpu", invocation["machine"])
    assert {record.host for record in run.store(myth).records} == {kind["host"]} == {provenance.host_class(invocation["machine"])}
    assert simulated.address.partition(":")[0] not in text
    assert [warning for warning in analyze(myth, run).warnings if "uncommitted" not in warning] == []


def test_the_doctor_says_what_nodes_have_and_lack(simulated, two_nodes, tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "here"))
    prepared.save("numbers", {"x": np.arange(3)}, "a test", "")
    node = simulated.add(cpus=1, data=tmp_path / "there")
    try:
        lines = doctor.cluster_checks(simulated.address)
    finally:
        simulated.kill(node)
    assert lines[0] == {"check": "cluster", "status": "4 nodes, 5 CPUs, 0 GPUs", "fix": ""}
    assert sorted(line["status"].partition(",")[0] for line in lines[1:] if "lacks" not in line["status"]) == ["1 CPUs", "2 CPUs", "2 CPUs"]
    (lacking,) = [line for line in lines if line["fix"]]
    assert lacking["status"] == "lacks numbers"


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["", "here", "host", "host:port", "host:99999", "ray://host:10001", "http://host:80"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UsageError, match="expected auto or HOST:PORT"):
        parse_address(address)


@pytest.mark.parametrize(("address", "status"), [("here", 2), ("127.0.0.1:9", 3)])
@pytest.mark.parametrize("command", [["run", "cifar10-1"], ["run", "cifar10-1", "--dry-run"], ["doctor"]])
def test_a_command_ends_with_one_line(command, address, status, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(cli.app, [*command, "--cluster", address])
    assert found.exit_code == status
    assert [line for line in found.stderr.splitlines() if line.startswith("myths: ")] == [found.stderr.rstrip("\n")]
    assert list(tmp_path.iterdir()) == []


def test_auto_is_the_cluster_of_the_environment(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert parse_address("auto") == "10.0.0.1:6379"
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(UsageError, match=r"RAY_ADDRESS 'ray://head:10001'.*on a node of the cluster"):
        parse_address("auto")
    monkeypatch.delenv("RAY_ADDRESS")
    assert parse_address("auto") == "auto"


@contextlib.contextmanager
def _server(answer):
    """A server of another protocol, which answers once. Yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def test_without_ray_or_a_cluster_one_line_says_so(monkeypatch):
    with pytest.raises(CannotStart, match=r"No Ray cluster at 127\.0\.0\.1:9 .*ray start --head"):
        Cluster.connect("127.0.0.1:9")
    with _server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port, pytest.raises(CannotStart, match=r"answers, but not as Ray.*usually 6379"):
        Cluster.connect(f"127.0.0.1:{port}")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CannotStart, match=r"pip install .seven-myths\[ray\]"):
        Cluster.connect("127.0.0.1:9")


def test_nodes_that_cannot_run_the_trials_are_named_before_anything_begins(simulated, two_nodes, tmp_path, monkeypatch):
    cluster = Cluster.connect(simulated.address)
    try:
        with pytest.raises(CannotStart, match=r"--device cuda: no node of the cluster offers a GPU \(3 checked\)"):
            cluster.select_device("cuda")
        with pytest.raises(UsageError, match="expected auto, cpu or cuda with --cluster"):
            cluster.select_device("cuda:1")
        assert cluster.select_device("auto") == "cpu"
        own = cluster_node.software(("myths",))
        for name in ("Python", "torch", "the code of myths"):
            with monkeypatch.context() as patched:
                patched.setattr(clusters.cluster_node, "software", lambda code, name=name: own | {name: "0.1"})
                with pytest.raises(CannotStart, match=rf"Node .* has {name} {own[name].replace('+', '.')}, this machine 0\.1"):
                    cluster.describe(Wanted("cpu"))
        node = simulated.add(cpus=0, num_gpus=2)
        with pytest.raises(CannotStart, match="it offers GPUs to Ray, but torch sees none on it"):
            cluster.describe(Wanted("cuda"))
        simulated.kill(node)
    finally:
        cluster.close()


if __name__ == "__main__":
    from tests.lab import test_cluster

    test_cluster.go(test_cluster._slow(Path(sys.argv[2])), Path(sys.argv[2]), sys.argv[1])
