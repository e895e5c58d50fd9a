"""The connection to a Ray cluster: its nodes, what they have, and whether they can run the trials of this machine."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from myths.lab.errors import CannotStart, UsageError
from myths.lab.execution import cluster_node
from myths.lab.execution.cluster_node import Description, Wanted
from myths.lab.execution.executors import one_line
from myths.lab.execution.worker_pool import MAX_DEFAULT_JOBS

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
"""Time to reach the address of a cluster."""
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""What a client of HTTP/2, which gRPC uses, sends first: the preface and empty settings (RFC 9113, section 3.4)."""
HTTP2_SETTINGS = bytes([4])
"""Type of the frame that a server of HTTP/2 answers first."""
ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^:\s/]+):(?P<port>[0-9]{1,5})")

Say = Callable[[str], None]
"""Shows one line to the user."""


class NodeLost(Exception):
    """The node ended while something ran on it."""


@dataclass(frozen=True)
class Node:
    """A node of the cluster as Ray lists it.

    Attributes:
        id: Id of the node.
        name: Its name, or its address; unique among the nodes.
        cores: Number of CPUs that it offers.
        gpus: Number of GPUs that it offers.
        memory: Memory that it offers in bytes.
    """

    id: str
    name: str
    cores: int
    gpus: int
    memory: int

    def devices(self, device: str) -> int:
        """Return the number of devices for a run on "cpu" or "cuda"."""
        return self.gpus if device == "cuda" else min(1, self.cores)

    def start(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Start a function on this node, beside its trials. Return a reference to its result."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self.id, soft=False)
        return _task(function, bool(self.gpus)).options(scheduling_strategy=here).remote(*arguments)

    def result(self, reference: Any) -> Any:
        """Wait for the result of a function on this node and return it.

        Raises:
            NodeLost: The node ended.
            CannotStart: The function raised an error.
        """
        import ray

        try:
            return ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            cause = one_line(f"{type(error.cause).__name__}: {error.cause}") if error.cause else "it cannot load this version"
            raise CannotStart(
                f"Node {self.name} cannot run this version of Seven Myths ({cause}). Install the same commit there"
            ) from error
        except ray.exceptions.RayError as error:
            raise NodeLost(str(error)) from error


@functools.cache
def _task(function: Callable[..., Any], uses_gpu: bool) -> Any:
    """Return a function as a task that takes no CPU and is not repeated. A process that has used a GPU ends, so that it holds no memory."""
    import ray

    return ray.remote(num_cpus=0, max_retries=0, max_calls=1 if uses_gpu else 0)(function)


def nodes() -> list[Node]:
    """Return the nodes that are alive."""
    import ray

    alive = [node for node in ray.nodes() if node["Alive"]]
    names = [node["NodeName"] or node["NodeManagerAddress"] for node in alive]
    unique = [name if names.count(name) == 1 else f"{name} ({node['NodeID'][:6]})" for name, node in zip(names, alive, strict=True)]
    offers = [node["Resources"] for node in alive]
    return [
        Node(node["NodeID"], name, int(offer.get("CPU", 0)), int(offer.get("GPU", 0)), int(offer.get("memory", 0)))
        for node, name, offer in zip(alive, unique, offers, strict=True)
    ]


class Cluster:
    """A Ray cluster that this process is connected to.

    Args:
        say: Shows one line to the user.
        connected_here: Whether ``close`` disconnects.

    Attributes:
        described: The nodes that can be used, as last described.
    """

    def __init__(self, say: Say, connected_here: bool) -> None:
        self.say = say
        self._connected_here = connected_here
        self.described: dict[Node, Description] = {}

    @classmethod
    def connect(cls, address: str, say: Say = lambda line: None) -> Cluster:
        """Connect to a cluster. This machine must be one of its nodes.

        Args:
            address: "auto" (the cluster in ``RAY_ADDRESS``, or that of this machine) or HOST:PORT.
            say: Shows one line to the user.

        Raises:
            UsageError: The address is invalid.
            CannotStart: Ray is not installed, or there is no cluster at this address.
        """
        place = parse_address(address)
        try:
            import ray
        except ImportError as error:
            raise CannotStart(
                '--cluster requires Ray. Run `pip install "seven-myths[ray]"` on this machine and on every node of the cluster'
            ) from error
        if ray.is_initialized():
            return cls(say, connected_here=False)
        _check_reachable(place)
        with _same_signal_handlers():
            try:
                ray.init(address=place, log_to_driver=False, logging_level=logging.CRITICAL)
                # Ray has no option for this: it prints the log of a lost node into the output of the command.
                ray._private.worker.print_to_stdstream = lambda data, ignore_prefix: log.debug("%s", data)
            except (ConnectionError, RuntimeError, ValueError, TimeoutError, AssertionError) as error:
                raise CannotStart(_connection_problem(place, error)) from error
        return cls(say, connected_here=True)

    def close(self) -> None:
        """Disconnect from the cluster. Its nodes keep running."""
        import ray

        if self._connected_here:
            with _same_signal_handlers():
                ray.shutdown()

    def select_device(self, wanted: str) -> str:
        """Return the device of the nodes to compute on: "cpu" or "cuda".

        Args:
            wanted: "cpu", "cuda", or "auto": GPUs if a node has any.

        Raises:
            UsageError: The device is not one of these.
            CannotStart: No node has such a device.
        """
        if wanted not in ("auto", "cpu", "cuda"):
            raise UsageError(f"Invalid --device {wanted!r}: expected auto, cpu or cuda with --cluster")
        found = nodes()
        chosen = ("cuda" if any(node.gpus for node in found) else "cpu") if wanted == "auto" else wanted
        if not any(node.devices(chosen) for node in found):
            what, other = ("GPU", "cpu") if chosen == "cuda" else ("CPU", "cuda")
            raise CannotStart(f"--device {wanted}: no node of the cluster offers a {what} ({len(found)} checked). Use --device {other}")
        return chosen

    @staticmethod
    def default_jobs(device: str) -> int:
        """Return the default number of trials per device. A node with fewer CPUs or little memory runs fewer."""
        return MAX_DEFAULT_JOBS if device == "cpu" else 1

    def describe(self, wanted: Wanted) -> dict[Node, Description]:
        """Describe the nodes that offer the device, all at once.

        Args:
            wanted: What the run needs.

        Raises:
            CannotStart: A node has other software or another problem, or all nodes were lost.
        """
        references = {node: node.start(cluster_node.describe, wanted) for node in nodes() if node.devices(wanted.device)}
        found: dict[Node, Description] = {}
        for number, (node, reference) in enumerate(references.items(), start=1):
            log.info("checking node %d of %d", number, len(references))
            with contextlib.suppress(NodeLost):
                found[node] = checked(node, reference, wanted)
        if not found:
            raise CannotStart("The cluster lost all its nodes while they were checked. Print its state with `ray status`")
        self.described = found
        return found

    def timed_kind(self, preferred: str | None = None) -> tuple[str, str]:
        """Return machine class and host class of the nodes that measure time: those with most devices.

        Args:
            preferred: Machine class of the run, if it has one already.
        """
        devices: Counter[tuple[str, str]] = Counter()
        for node, about in self.described.items():
            devices[about.kind] += node.cores if about.machine_class == "cpu" else node.gpus
        of_run = [kind for kind in devices if kind[0] == preferred]
        return max(of_run or devices, key=lambda kind: devices[kind])

    def machine(self, kind: tuple[str, str]) -> Mapping[str, Any]:
        """Return the description of a machine of a kind, for ``run.json``."""
        return next(about.machine for about in self.described.values() if about.kind == kind)

    def summary(self) -> list[dict[str, Any]]:
        """Return the kinds of nodes and their numbers, for ``run.json``. Names and addresses are not recorded."""
        kinds = Counter(about.kind for about in self.described.values())
        return [{"nodes": n, "machine_class": kind[0], "host": kind[1], "machine": dict(self.machine(kind))} for kind, n in kinds.items()]


def checked(node: Node, reference: Any, wanted: Wanted) -> Description:
    """Return the description of a node that can be used.

    Args:
        node: The node.
        reference: Reference to its description.
        wanted: What the run needs.

    Raises:
        NodeLost: The node ended.
        CannotStart: It has other software than this machine, or another problem.
    """
    about: Description = node.result(reference)
    for name, ours in cluster_node.software(wanted.code).items():
        if (theirs := about.software.get(name, "not installed")) != ours:
            raise CannotStart(f"Node {node.name} has {name} {theirs}, this machine {ours}. Install the same versions on all nodes")
    if about.problem:
        raise CannotStart(f"Node {node.name}: {about.problem}")
    return about


def parse_address(text: str) -> str:
    """Return the address of a cluster: "auto", or HOST:PORT.

    Args:
        text: The address as the user gives it. "auto" is replaced by ``RAY_ADDRESS`` if that is set.

    Raises:
        UsageError: The text is no address.
    """
    given = os.environ.get("RAY_ADDRESS", "").strip() or "auto" if text == "auto" else text
    match = ADDRESS.fullmatch(given)
    if given == "auto" or (match is not None and int(match["port"]) < 2**16):
        return given
    source = "RAY_ADDRESS" if given != text else "--cluster"
    hint = ". Run the command on a node of the cluster instead of through ray://" if given.startswith("ray://") else ""
    raise UsageError(f"Invalid {source} {given!r}: expected auto or HOST:PORT, such as 10.0.0.1:6379{hint}")


def _check_reachable(place: str) -> None:
    """Raise CannotStart if no server of Ray's protocol listens at an address: Ray itself would wait for minutes."""
    if (match := ADDRESS.fullmatch(place)) is None:
        return
    try:
        with socket.create_connection((match["host"].strip("[]"), int(match["port"])), timeout=CONNECT_SECONDS) as connection:
            connection.sendall(HTTP2_PREFACE)
            answer = connection.recv(9, socket.MSG_WAITALL)
    except OSError as error:
        raise CannotStart(
            f"No Ray cluster at {place} ({error.strerror or error}). Start one with `ray start --head`, or check the address"
        ) from error
    if answer[3:4] != HTTP2_SETTINGS:
        raise CannotStart(f"{place} answers, but not as Ray. The port is that of `ray start --head --port`, usually 6379")


def _connection_problem(place: str, error: Exception) -> str:
    text = one_line(str(error))
    if place == "auto" and isinstance(error, ConnectionError):
        return "--cluster auto: no Ray cluster runs on this machine. Start one with `ray start --head`, or give HOST:PORT"
    if "ersion mismatch" in text:
        return f"The cluster at {place} has another version of Ray or Python ({text}). Install the same versions on all nodes"
    return f"Cannot connect to a Ray cluster at {place}: {text}"


@contextlib.contextmanager
def _same_signal_handlers() -> Iterator[None]:
    """Restore the signal handlers after a ``with`` block: Ray replaces them, and the command relies on its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
