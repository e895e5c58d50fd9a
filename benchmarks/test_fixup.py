"""Time and peak memory of a training step by depth: eager, with gradient checkpointing, and with CUDA graphs on a GPU.

A step is a forward pass, a backward pass and an update of the paper's network on images of the size of CIFAR-10, with Fixup and with batch
normalization. Peak memory is the memory that a step allocates.
"""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from myths.fixup.memory import Setup, estimate_memory
from myths.fixup.network import build
from myths.fixup.trials.image_training import optimizer
from myths.lab.execution.resources import free_bytes
from myths.lab.measurement.device import machine_class, select_device
from myths.lab.measurement.memory import peak_bytes
from myths.lab.measurement.timing import Stopwatch
from myths.lab.step_recorder import WARM_UP, StepRecorder
from myths.lab.vision.memory_format import place

DEVICE = select_device("auto")
GPU = DEVICE.startswith("cuda")
BATCH = 128 if GPU else 16
DEPTHS = (22, 112, 1000, 10_000) if GPU else (22, 58, 112)
PATHS = ("eager", "checkpointed", "graph", "graph, checkpointed") if GPU else ("eager", "checkpointed")
ROUNDS = 5


def step_of(depth: int, method: str, path: str) -> Callable[[], torch.Tensor]:
    """Return a function that takes one training step and returns the loss."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(BATCH, 3, 32, 32, generator=generator).to(DEVICE)
    y = torch.randint(0, 10, (BATCH,), generator=generator).to(DEVICE)
    setup = Setup(architecture="wide-resnet", method=method, classes=10, channels=3, image_size=32, width=16, batch=BATCH)
    memory = estimate_memory(setup)
    blocks = (depth - 4) // 6
    checkpointed = path.endswith("checkpointed")
    if (memory.with_checkpointing(blocks) if checkpointed else memory.without_checkpointing(blocks)) > 0.8 * free_bytes(DEVICE):
        pytest.skip(f"{depth} layers do not fit {path}")
    torch.manual_seed(0)
    network = build("wide-resnet", depth, method, 10, 3, 16)
    network.blocks_per_segment = memory.segment(blocks) if checkpointed else 0
    x = x.contiguous(memory_format=place(network.train(), DEVICE))
    recorder = StepRecorder(DEVICE, wanted=path.startswith("graph"))
    sgd = optimizer(network, 0.01, 0.9, 5e-4)
    recorder.adapt(sgd)
    loss = torch.zeros((), device=DEVICE)

    def step() -> None:
        sgd.zero_grad(set_to_none=True)
        found = F.cross_entropy(network(x), y)
        found.backward()
        sgd.step()
        loss.copy_(found.detach())

    def run() -> torch.Tensor:
        with recorder.stream():
            recorder.run(step, None)
        return loss

    return run


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["fixup", "batch-norm"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_step(benchmark, depth, method, path):
    step = step_of(depth, method, path)

    def synchronized() -> torch.Tensor:
        with Stopwatch(DEVICE):
            return step()

    for _ in range(WARM_UP + 1):  # the recording and the allocation of momentum are not part of a step
        step()
    peak = peak_bytes(step, DEVICE)
    benchmark.group = f"training step, {depth} layers, batch size {BATCH}, {machine_class(DEVICE)}"
    loss = benchmark.pedantic(synchronized, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info.update(device=machine_class(DEVICE), batch=BATCH, depth=depth)
    benchmark.extra_info["microseconds per layer and image"] = 1e6 * benchmark.stats.stats.median / depth / BATCH
    benchmark.extra_info["peak memory, MB"] = None if peak is None else peak / 1e6
    assert loss.isfinite()


@pytest.mark.parametrize("method", ["fixup", "batch-norm"])
@pytest.mark.parametrize("path", PATHS[1:])
def test_all_paths_train_alike(method, path):
    eager, other = (step_of(22, method, p) for p in ("eager", path))
    losses = [[float(step()) for _ in range(WARM_UP + 3)] for step in (eager, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][-1] != losses[0][0]
