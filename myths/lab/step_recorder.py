"""Record the steps of a training run as CUDA graphs and replay them.

Small networks are limited by kernel launches: the host takes longer to launch a kernel than a GPU to run it. A CUDA graph launches all
kernels of a step at once. A recorded step therefore

- reads and writes tensors at the same addresses in every call. Inputs that change are copied into buffers (``StepRecorder.fixed``).
- has no host value that changes. Learning rates are tensors (``StepRecorder.adapt``), random numbers come from registered generators.
- never waits for the device: no ``.item()``, no ``.cpu()``, no tensor whose shape depends on values.

On a CPU, with ``cuda_graphs=False`` in the configuration of a training run, and with ``MYTHS_CUDA_GRAPHS=0`` in the environment, the same
step runs eagerly, with the same random numbers.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from myths.lab.errors import CannotStart, MythsError
from myths.lab.measurement.timing import Stopwatch

SWITCH = "MYTHS_CUDA_GRAPHS"
"""Environment variable that switches recording off if it is 0."""
WARM_UP = 3
"""Number of eager calls of a function before its first recording, in which libraries choose algorithms and allocate workspaces."""

Function = Callable[[], None]
T = TypeVar("T", bound=tuple[Tensor, ...])


def can_record(device: str) -> bool:
    """Return whether steps can be recorded: on a CUDA device, unless switched off or ``deterministic`` algorithms are required.

    Deterministic indexing checks its indices on the host.
    """
    on = device.startswith("cuda") and os.environ.get(SWITCH) != "0"
    return on and not torch.are_deterministic_algorithms_enabled()


class StepRecorder:
    """Runs the functions of a training step, eagerly or as CUDA graphs.

    The first calls of a function are eager and part of the training run, so that nothing has to be restored after a warm-up. A function is
    then recorded for each key that it was called with before: shapes that occur once are never recorded. All calls and recordings use the
    stream of ``stream``, because autograd warns of parameters whose gradients come from several streams.

    Attributes:
        enabled: Whether functions are recorded.
        seconds: Duration of all recordings in seconds.
    """

    def __init__(self, device: str, *, wanted: bool = True, generators: Sequence[torch.Generator] = ()):
        """Prepare recordings.

        Args:
            device: Device as named by torch.
            wanted: Whether to record where possible.
            generators: Generators that the functions draw from, besides torch's global one. A generator on another device, whose numbers
                have to be copied, excludes recording.
        """
        kind = torch.device(device).type
        self.enabled = wanted and can_record(device) and all(g.device.type == kind for g in generators)
        self.seconds = 0.0
        self._device, self._generators = device, tuple(generators)
        self._calls: Counter[Hashable] = Counter()
        self._replays: dict[Hashable, Function] = {}
        self._buffers: dict[Hashable, tuple[Tensor, ...]] = {}
        self._stream: torch.cuda.Stream | None = None
        self._pool: object = None

    @contextlib.contextmanager
    def stream(self) -> Iterator[None]:
        """Run a ``with`` block on a stream of its own if steps are recorded, which is impossible on the default stream."""
        if not (self.enabled and self._device.startswith("cuda")):
            yield
            return
        if self._stream is None:
            self._stream, self._pool = torch.cuda.Stream(self._device), torch.cuda.graph_pool_handle()
        outer = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(outer)
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:
            outer.wait_stream(self._stream)

    def adapt(self, optimizer: torch.optim.Optimizer) -> None:
        """Make the learning rates of an optimizer tensors, and its counters of steps, if steps are recorded."""
        for group in optimizer.param_groups:
            group["initial_lr"] = float(group["lr"])
            if self.enabled:
                group["lr"] = torch.tensor(float(group["lr"]), device=self._device)
                group |= {"capturable": True} if "capturable" in group else {}

    def fixed(self, tensors: T) -> T:
        """Return tensors with the same values, at the same addresses for all tensors of the same shapes if steps are recorded."""
        if not self.enabled:
            return tensors
        key = tuple((tensor.shape, tensor.dtype) for tensor in tensors)
        buffers = self._buffers.setdefault(key, tuple(map(torch.empty_like, tensors)))
        for buffer, tensor in zip(buffers, tensors, strict=True):
            buffer.copy_(tensor, non_blocking=True)
        return buffers  # type: ignore[return-value]

    def run(self, function: Function, key: Hashable) -> None:
        """Call a function, or replay its recording.

        Args:
            function: Reads and writes tensors at fixed addresses.
            key: What determines the operations of the function besides itself, such as the shape of a minibatch.

        Raises:
            CannotStart: The function contains an operation that cannot be recorded.
        """
        if self.enabled and (function, key) not in self._replays:
            if self._calls[function] >= WARM_UP and self._calls[function, key]:
                with Stopwatch(self._device) as watch:
                    self._replays[function, key] = record(function, self._generators, self._pool)
                self.seconds += watch.seconds
            self._calls.update((function, (function, key)))
        self._replays.get((function, key), function)()


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the learning rates of an optimizer to a multiple of the initial ones, without waiting for the device."""
    for group in optimizer.param_groups:
        rate = factor * group["initial_lr"]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def record(function: Function, generators: Sequence[torch.Generator], pool: object) -> Function:
    """Record a function on the current stream, without running it.

    Args:
        function: Operations on tensors at fixed addresses.
        generators: Generators that the function draws from, besides torch's global one. Each replay draws new numbers, the same that
            an eager call would draw.
        pool: Memory that the recordings of a training run share. They run one after another, so that one recording may overwrite what is
            temporary in another.

    Returns:
        A function that replays the recording.

    Raises:
        CannotStart: The function contains an operation that cannot be recorded.
    """
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    try:
        with torch.cuda.graph(graph, pool=pool, stream=torch.cuda.current_stream()):  # type: ignore[arg-type]
            function()
    except RuntimeError as error:
        first = error.__context__ or error  # the end of a failed recording raises an error of its own
        if isinstance(first, torch.OutOfMemoryError | MythsError):
            raise first from None
        what = str(first).partition("\n")[0]
        raise CannotStart(f"The training step cannot be recorded as a CUDA graph: {what}. Train without recording: {SWITCH}=0") from error
    return graph.replay
