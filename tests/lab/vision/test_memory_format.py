"""One place decides the memory format, and what it decides computes what oneDNN's absence computes."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import myths
from myths.fixup.network import build as build_fixup
from myths.lab.measurement import kernels
from myths.lab.vision import memory_format
from myths.lab.vision.memory_format import corrupts_memory, memory_format_of, of_filters, place
from myths.lab.vision.networks import build
from myths.lab.vision.training import TrainConfig, fit

NETWORKS = {
    "fixup, width 4": lambda: build_fixup("wide-resnet", 10, "fixup", 10, 1, 4),
    "batch-norm, width 4": lambda: build_fixup("wide-resnet", 10, "batch-norm", 10, 1, 4),
    "fixup, width 8": lambda: build_fixup("wide-resnet", 10, "fixup", 10, 3, 8),
    "bottleneck, width 4": lambda: build_fixup("bottleneck", 11, "batch-norm", 10, 3, 4),
    "resnet8": lambda: build("resnet8", 10, 3, 16),
    "resnet18": lambda: build("resnet18", 10, 3, 16),
}


def one_step(make, *, plain=False):
    """How one step of training in fp32 moves all parameters."""
    torch.manual_seed(0)
    network = make()
    before = nn.utils.parameters_to_vector(network.parameters()).detach()
    channels = next(m for m in network.modules() if isinstance(m, nn.Conv2d)).in_channels
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(0, 256, (64, channels, 16, 16), generator=generator, dtype=torch.uint8)
    y = torch.randint(0, 10, (64,), generator=generator)
    config = TrainConfig(epochs=1 / 2, batch_size=32, augmentation="none", learning_rate=1.0, weight_decay=0.0)
    with torch.backends.mkldnn.flags(enabled=not plain, allow_tf32=None):
        fit(network, x, y, config, order=torch.Generator().manual_seed(2), augmentation=torch.Generator().manual_seed(3), device="cpu")
    network.to(memory_format=torch.contiguous_format)
    return nn.utils.parameters_to_vector(network.parameters()).detach() - before


def relative(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("name", NETWORKS)
def test_one_step_of_training_equals_the_plain_path(name):
    # Where rounding moves an activation across the kink of a ReLU, a gradient jumps: float64 differs from float32 by as much.
    assert relative(one_step(NETWORKS[name]), one_step(NETWORKS[name], plain=True)) < (0.02 if "resnet" in name else 1e-4)


@pytest.mark.parametrize("name", ["fixup, width 4", "batch-norm, width 4"])
def test_one_step_of_training_does_not_depend_on_the_format(name, monkeypatch):
    if kernels.effective() == "AVX2":
        pytest.skip("channels last would end this process or compute wrong gradients under this instruction set")
    ours = one_step(NETWORKS[name])
    monkeypatch.setattr(memory_format, "corrupts_memory", lambda *shape: False)
    assert relative(one_step(NETWORKS[name]), ours) < 1e-4


def test_channels_last_is_left_only_where_it_corrupts_memory():
    formats = {name: memory_format_of(make(), "cpu") for name, make in NETWORKS.items()}
    narrow = {"fixup, width 4", "batch-norm, width 4"}
    assert {name for name, chosen in formats.items() if chosen is torch.contiguous_format} == narrow
    assert {memory_format_of(make(), "cuda") for make in NETWORKS.values()} == {torch.channels_last}


@pytest.mark.parametrize(
    ("shape", "broken"),
    [
        ((4, (1, 1), (2, 2)), True),
        ((7, (1, 1), (3, 3)), True),
        ((4, (1, 1), (1, 2)), True),
        ((8, (1, 1), (2, 2)), False),
        ((4, (1, 1), (1, 1)), False),
        ((4, (3, 3), (2, 2)), False),
    ],
)
def test_the_shapes_that_corrupt_memory(shape, broken):
    assert corrupts_memory(*shape) is broken
    weight = torch.zeros(8, shape[0], *shape[1])
    assert (of_filters(weight, max(shape[2])) is torch.contiguous_format) is broken


def test_weights_take_the_format_and_stay_the_same_objects():
    network = NETWORKS["resnet18"]()
    before = list(network.parameters())
    assert place(network, "cpu") is torch.channels_last
    assert all(a is b for a, b in zip(before, network.parameters(), strict=True))
    assert all(m.weight.is_contiguous(memory_format=torch.channels_last) for m in network.modules() if isinstance(m, nn.Conv2d))
    narrow = NETWORKS["fixup, width 4"]().to(memory_format=torch.channels_last)
    assert place(narrow, "cpu") is torch.contiguous_format
    assert all(m.weight.is_contiguous() for m in narrow.modules() if isinstance(m, nn.Conv2d))


def test_no_other_place_decides():
    package = Path(myths.__file__).parent
    deciding = {str(p.relative_to(package)) for p in package.rglob("*.py") if re.search(r"torch\.channels_last", p.read_text("utf-8"))}
    assert deciding == {"lab/vision/memory_format.py", "lab/measurement/kernels.py"}  # the second checks kernels and computes no result
