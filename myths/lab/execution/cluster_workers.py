"""Workers on the nodes of a Ray cluster: one process per place, with its CPUs, GPU and memory. Nodes may be lost or added at any time."""

from __future__ import annotations

import functools
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from myths.lab.data import prepared, transfer
from myths.lab.errors import CannotStart
from myths.lab.execution import cluster_node
from myths.lab.execution.cluster import Cluster, Node, NodeLost, checked, nodes
from myths.lab.execution.cluster_node import Description, RemoteArrays, TrialRunner, Wanted
from myths.lab.execution.executors import OUT_OF_MEMORY, Execution, one_line, unsendable
from myths.lab.execution.outcomes import DependencyOutcomes
from myths.lab.execution.places import Machine, Place
from myths.lab.execution.worker_pool import WORKER_BYTES
from myths.lab.measurement.timing import Stopwatch
from myths.lab.storage.store import LazyArrays
from myths.lab.trial import Context, Outcome, Trial

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""Interval at which new and lost nodes are looked for."""
WAIT_FOR_NODES_SECONDS = 600.0
"""Time to wait for a node if none is left."""
SHUTDOWN_SECONDS = 1.0
"""Time after the end of a process within which the end of its node is noticed, if the node shuts down."""
MAX_SENT_OUTCOMES = 64
"""Number of trials whose arrays stay in the object store, for trials that depend on them."""


class ClusterWorkers:
    """Starts workers on the nodes of a cluster and waits for them.

    All nodes are checked, and lacking datasets are sent, before it returns. Nodes that are added later are checked when they are found.

    Args:
        cluster: The cluster.
        wanted: What the run needs on every node.
        jobs: Number of trials per device, at most one per CPU.

    Raises:
        CannotStart: A node cannot be used.
    """

    def __init__(self, cluster: Cluster, wanted: Wanted, jobs: int) -> None:
        self._cluster, self._wanted, self._jobs = cluster, wanted, jobs
        self._nodes: dict[Machine, Node] = {}
        self._arriving: dict[Any, Node] = {}
        self._refused: set[str] = set()
        self._sent: OrderedDict[tuple[str, ...], RemoteArrays] = OrderedDict()
        self._next_poll = 0.0
        described = cluster.describe(wanted)
        _send(described, wanted, cluster)
        for node, about in described.items():
            self._add(node, about)

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The nodes that can be used now."""
        return tuple(self._nodes)

    def start(self, place: Place) -> _ClusterWorker:
        """Return a worker for a place."""
        return _ClusterWorker(self, place, self._nodes[place.machine])

    def wait(self, busy: Sequence[Any], timeout: float | None) -> _ClusterWorker | None:
        """Return a worker whose trial has ended; None after ``timeout`` seconds, or if nodes were lost or added.

        Raises:
            CannotStart: No node is left, and none was added for ``WAIT_FOR_NODES_SECONDS``.
        """
        import ray

        stopwatch = Stopwatch().__enter__()
        by_reference = {worker.reference: worker for worker in busy}
        while True:
            references = [*by_reference, *self._arriving]
            left = POLL_SECONDS if timeout is None else max(0.0, min(POLL_SECONDS, timeout - stopwatch.elapsed))
            if not references:
                time.sleep(left)
            elif ready := ray.wait(references, timeout=left)[0]:
                if ready[0] in by_reference:
                    return by_reference[ready[0]]
                if self._arrive(ready[0]):
                    return None
            if self._find_nodes():
                return None
            if timeout is not None and stopwatch.elapsed >= timeout:
                return None
            if not by_reference and stopwatch.elapsed > WAIT_FOR_NODES_SECONDS:
                raise CannotStart("The cluster has no node left for the remaining trials. Finished trials are saved; run the command again")

    def lose(self, machine: Machine) -> None:
        """Stop using a node. If it is alive after all, it is found and checked again."""
        if (node := self._nodes.pop(machine, None)) is not None:
            left = f"{len(self._nodes)} left" if self._nodes else "waiting for another one"
            self._cluster.say(f"Node {node.name} was lost ({left}). Its trials run again")

    def context(self, context: Context) -> Context:
        """Return a context whose arrays are in the object store, once per trial that others depend on."""
        if not isinstance(context.outcomes, DependencyOutcomes):
            return context
        by_id = {identity: self._travelling(identity, outcome) for identity, outcome in context.outcomes.by_id.items()}
        return replace(context, outcomes=DependencyOutcomes(by_id))

    def _travelling(self, identity: str, outcome: Outcome) -> Outcome:
        import ray

        if not isinstance(outcome.arrays, LazyArrays):
            return outcome
        key = (identity, *outcome.arrays.sha256.values())
        if key not in self._sent:
            self._sent[key] = RemoteArrays({name: ray.put(array) for name, array in outcome.arrays.items()})
        self._sent.move_to_end(key)
        if len(self._sent) > MAX_SENT_OUTCOMES:
            self._sent.popitem(last=False)
        return Outcome(outcome.rows, self._sent[key])

    def _add(self, node: Node, about: Description) -> None:
        devices = node.devices(self._wanted.device)
        slots = self._jobs if self._wanted.device == "cuda" else max(1, min(self._jobs, node.cores, node.memory // WORKER_BYTES))
        self._nodes[Machine(node.name, devices, slots, max(1, node.cores), about.machine_class, about.host)] = node

    def _find_nodes(self) -> bool:
        """Look for lost and new nodes from time to time. Return whether a node was lost."""
        if time.monotonic() < self._next_poll:
            return False
        self._next_poll = time.monotonic() + POLL_SECONDS
        alive = {node.id: node for node in nodes() if node.devices(self._wanted.device)}
        lost = [machine for machine, node in self._nodes.items() if node.id not in alive]
        for machine in lost:
            self.lose(machine)
        known = {node.id for node in (*self._nodes.values(), *self._arriving.values())} | self._refused
        for node in (node for identity, node in alive.items() if identity not in known):
            self._arriving[node.start(cluster_node.describe, self._wanted)] = node
        return bool(lost)

    def _arrive(self, reference: Any) -> bool:
        """Use a new node if it can be used. Return whether it is."""
        node = self._arriving.pop(reference)
        try:
            about = checked(node, reference, self._wanted)
            _send({node: about}, self._wanted, self._cluster)
        except NodeLost:
            return False
        except CannotStart as error:
            self._refused.add(node.id)
            self._cluster.say(f"A new node is not used. {error}")
            return False
        self._add(node, about)
        self._cluster.say(f"Node {node.name} was added")
        return True


class _ClusterWorker:
    """A process on a node that runs one trial after another."""

    limits_memory = True

    def __init__(self, workers: ClusterWorkers, place: Place, node: Node) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._workers, self._place, self._node = workers, place, node
        machine, span = place.machine, place.span
        gpus = {"machine": node.gpus, "device": 1, "slot": 1 / machine.slots}[span] if machine.machine_class != "cpu" else 0
        shared = span == "slot" and machine.slots > 1
        self.reusable = True
        self._actor: Any = (
            _runner_class()
            .options(
                num_cpus=_floor(machine.cores_of(span)),
                num_gpus=_floor(gpus),
                memory=min(place.trial.memory_limit_bytes or 0, node.memory) or None,
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            )
            .remote(place.threads, shared, str(prepared.roots()[0]))
        )

    def submit(self, trial: Trial, context: Context) -> None:
        """Send the trial to the process."""
        import ray

        self._trial, self._stopwatch = trial, Stopwatch().__enter__()
        try:
            self.reference = self._actor.run.remote(trial, self._workers.context(context))
        except Exception as error:  # noqa: BLE001 (a trial that cannot be pickled is a failed trial)
            self.reference = ray.put(unsendable(error))

    def result(self) -> Execution:
        """Return the result of the trial, or what became of its process."""
        import ray

        reference, self.reference = self.reference, None  # Ray would try to recover a result that a later node loss takes away
        try:
            return ray.get(reference)
        except ray.exceptions.RayTaskError as error:  # the trial or its result cannot be loaded
            return Execution(None, self._stopwatch.elapsed, 0, one_line(f"{type(error.cause).__name__}: {error.cause}"), str(error))
        except ray.exceptions.RayError as error:
            self.reusable = False
            return self._died(error)

    def close(self) -> None:
        """End the process and its trial."""
        import ray

        self.reusable = False
        ray.kill(self._actor)

    def _died(self, error: Exception) -> Execution:
        import ray

        seconds, text = self._stopwatch.elapsed, str(error)
        out_of_memory = isinstance(error, ray.exceptions.OutOfMemoryError) or "low on memory" in text or "OUT_OF_MEMORY" in text
        if not out_of_memory and _is_node_loss(error, self._node):
            self._workers.lose(self._place.machine)
            return Execution(None, seconds, 0, "the node that ran the trial was lost", text, lost=True)
        if out_of_memory and (limit := self._trial.memory_limit_bytes) is not None:
            return Execution(Outcome([{"status": OUT_OF_MEMORY}]), seconds, limit, crashed=True)
        hint = ", probably out of memory. Try a smaller --jobs" if out_of_memory else ""
        return Execution(None, seconds, 0, f"the worker process on a node ended{hint}", text, crashed=True)


def _is_node_loss(error: Exception, node: Node) -> bool:
    """Return whether a process ended because of its node. A process that cannot be reached counts as well: its node may not answer."""
    import ray

    if not isinstance(error, ray.exceptions.ActorDiedError) or error.preempted:
        return True
    if "node has died" in str(error) or "node was terminated" in str(error):
        return True
    time.sleep(SHUTDOWN_SECONDS)
    return all(each.id != node.id for each in nodes())


@functools.cache
def _runner_class() -> Any:
    """Return ``TrialRunner`` as a class of processes on nodes."""
    import ray

    return ray.remote(TrialRunner)


def _floor(amount: float) -> float:
    """Return an amount of a resource, rounded down to the precision of Ray."""
    return int(amount) if amount >= 1 else int(amount * 10_000) / 10_000


def _send(described: Mapping[Node, Description], wanted: Wanted, cluster: Cluster) -> None:
    """Send datasets to the nodes that lack them, each once per node.

    Raises:
        CannotStart: A node cannot store a dataset.
    """
    import ray

    for name, sha256 in wanted.data.items():
        lacking = [node for node, about in described.items() if name in about.lacking]
        if not lacking:
            continue
        size, sent = prepared.require(name).bytes / 1e6, 0
        for part in (*transfer.parts(name), None):
            log.info("sending %s to %d nodes: %d of %d MB", name, len(lacking), sent / 1e6, size)
            shared = ray.put(part)
            written = {node: node.start(cluster_node.receive, shared, name, sha256, node.id[:8]) for node in lacking}
            for node, reference in written.items():
                if problem := node.result(reference):
                    raise CannotStart(f"Node {node.name} cannot store {name}: {problem}")
            sent += part.bytes if part is not None else 0
        cluster.say(f"Sent {name} ({size:,.1f} MB) to {len(lacking)} node{'s' * (len(lacking) > 1)}")
