"""The network against independent definitions, its depths, and gradient checkpointing."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from myths.fixup.architectures import ARCHITECTURES, blocks_per_stage
from myths.fixup.methods import METHODS
from myths.fixup.network import build
from myths.lab.dynamic_tanh import DynamicTanh
from myths.lab.errors import UsageError

ALL = [(architecture, method) for architecture in ARCHITECTURES for method in METHODS]


def perturbed(architecture, depth, method, blocks_per_segment=0):
    """A network whose zeros are none, in double precision."""
    torch.manual_seed(0)
    made = build(architecture, depth, method, 10, 3, 4).double()
    made.blocks_per_segment = blocks_per_segment
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.1 * torch.randn(p.shape, dtype=p.dtype))
    return made


def pixels(n=6, side=8):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


# --- independent definitions ------------------------------------------------------------------------


def published_basic_block(block, x):
    """The block of the authors' CIFAR code, written down from its description."""
    b1a, b1b, b2a, b2b = block.shifts
    out = F.relu(F.conv2d(x + b1a, block.convs[0].weight, stride=block.convs[0].stride, padding=1) + b1b)
    out = F.conv2d(out + b2a, block.convs[1].weight, padding=1) * block.scale + b2b
    if block.convs[0].stride == (2, 2):
        identity = (x + b1a)[:, :, ::2, ::2]
        x = torch.cat([identity, torch.zeros_like(identity)], 1)
    return F.relu(out + x)


def published_bottleneck(block, x):
    """The block of the authors' ImageNet code."""
    b1a, b1b, b2a, b2b, b3a, b3b = block.shifts
    out = F.relu(F.conv2d(x + b1a, block.convs[0].weight) + b1b)
    out = F.relu(F.conv2d(out + b2a, block.convs[1].weight, stride=block.convs[1].stride, padding=1) + b2b)
    out = F.conv2d(out + b3a, block.convs[2].weight) * block.scale + b3b
    if block.shortcut is not None:
        x = F.conv2d(x + b1a, block.shortcut[0].weight, stride=block.shortcut[0].stride)
    return F.relu(out + x)


def pre_activation_block(block, x):
    """He et al. 2016b, with a bias before every activation and every layer, and a multiplier."""
    r1, a1, r2, a2 = block.shifts
    entered = F.relu(x + r1)
    out = F.conv2d(entered + a1, block.convs[0].weight, stride=block.convs[0].stride, padding=1)
    out = F.conv2d(F.relu(out + r2) + a2, block.convs[1].weight, padding=1)
    if block.shortcut is not None:
        x = F.conv2d(entered, block.shortcut[0].weight, stride=block.shortcut[0].stride)
    return x + out * block.scale


def whole(made, x, block_of):
    x = F.conv2d(made.standardize(x), made.stem.weight, padding=1)
    pre = made.architecture.pre_activation
    x = x if pre else F.relu(x + made.shifts[0])
    for block in made.blocks:
        x = block_of(block, x)
    x = F.relu(x + made.shifts[0]) if pre else x
    return F.linear(x.mean((2, 3)) + made.shifts[1], made.head.weight, made.head.bias)


@pytest.mark.parametrize(
    ("architecture", "depth", "block_of"),
    [("resnet", 14, published_basic_block), ("bottleneck", 20, published_bottleneck), ("wide-resnet", 16, pre_activation_block)],
)
def test_with_fixup_it_is_the_published_network(architecture, depth, block_of):
    made, x = perturbed(architecture, depth, "fixup"), pixels()
    torch.testing.assert_close(made(x), whole(made, x, block_of), atol=1e-9, rtol=1e-9)


def test_with_batch_normalization_it_is_a_wide_residual_network_with_the_same_weights():
    made, x = perturbed("wide-resnet", 10, "batch-norm").train(), pixels()

    def norm(module, x):
        return F.batch_norm(x, None, None, module.weight, module.bias, training=True)

    out = F.conv2d(made.standardize(x), made.stem.weight, padding=1)
    for block in made.blocks:
        entered = F.relu(norm(block.norms[0], out))
        branch = F.relu(norm(block.norms[1], F.conv2d(entered, block.convs[0].weight, stride=block.convs[0].stride, padding=1)))
        branch = F.conv2d(branch, block.convs[1].weight, padding=1)
        shortcut = out if block.shortcut is None else F.conv2d(entered, block.shortcut[0].weight, stride=block.shortcut[0].stride)
        out = shortcut + branch
    expected = made.head(F.relu(norm(made.norm, out)).mean((2, 3)))
    torch.testing.assert_close(made(x), expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(("architecture", "depth"), [("resnet", 14), ("wide-resnet", 10)])
def test_dynamic_tanh_is_where_batch_normalization_is(architecture, depth):
    def places(method, kind):
        return {n: m.weight.numel() for n, m in perturbed(architecture, depth, method).named_modules() if isinstance(m, kind)}

    assert places("dyt", DynamicTanh) == places("batch-norm", torch.nn.BatchNorm2d) != {}
    assert places("dyt", torch.nn.BatchNorm2d) == {}


def test_the_sum_is_scaled_by_the_root_of_a_half():
    made, x = perturbed("wide-resnet", 10, "he-scaled"), torch.randn(2, 4, 8, 8, dtype=torch.float64)
    block = made.blocks[0]
    branch = block.convs[1](F.relu(block.convs[0](F.relu(x))))
    torch.testing.assert_close(block(x), (x + branch) / 2**0.5)


# --- depths -----------------------------------------------------------------------------------------


@given(architecture=st.sampled_from(sorted(ARCHITECTURES)), depth=st.integers(-10, 20_000))
def test_a_depth_is_possible_or_the_nearest_possible_are_named(architecture, depth):
    period, extra = {"wide-resnet": (6, 4), "resnet": (6, 2), "bottleneck": (9, 2)}[architecture]
    possible = range(period + extra, 30_000, period)
    if depth in possible:
        assert period * blocks_per_stage(architecture, depth) + extra == depth
        return
    with pytest.raises(UsageError) as raised:
        blocks_per_stage(architecture, depth)
    named = [int(word) for word in str(raised.value).rpartition(":")[2].replace("and", " ").split()]
    distances = sorted(abs(p - depth) for p in possible)
    assert set(named) <= set(possible)
    assert min(abs(n - depth) for n in named) == distances[0]


@pytest.mark.parametrize(("architecture", "depth"), [("wide-resnet", 22), ("resnet", 20), ("bottleneck", 29)])
def test_depth_counts_the_layers_on_the_longest_way(architecture, depth):
    made = build(architecture, depth, "he", 10, 1, 4)
    on_the_way = 2 + sum(len(block.convs) for block in made.blocks)
    assert on_the_way == depth - (2 if architecture == "wide-resnet" else 0)  # which counts its shortcuts with weights


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_branches_a_network_is_fixup_with_branches_of_zero(architecture):
    fixup, alone = (perturbed(architecture, ARCHITECTURES[architecture].depth(2), method) for method in ("fixup", "no-branches"))
    alone.load_state_dict(fixup.state_dict(), strict=False)
    with torch.no_grad():
        for block in fixup.blocks:
            block.scale.zero_()
    torch.testing.assert_close(alone(pixels()), fixup(pixels()), atol=1e-12, rtol=1e-12)
    alone(pixels()).sum().backward()
    assert all(p.grad is None for block in alone.blocks for p in block.convs.parameters())


# --- gradient checkpointing -------------------------------------------------------------------------


@pytest.mark.parametrize(("architecture", "method"), ALL)
def test_computing_again_changes_neither_gradients_nor_statistics(architecture, method):
    depth = ARCHITECTURES[architecture].depth(2)
    results = []
    for segment in (0, 4):
        made = perturbed(architecture, depth, method, blocks_per_segment=segment).train()
        for _ in range(2):
            loss = F.cross_entropy(made(pixels()), torch.arange(6))
            trained = [p for p in made.parameters() if p.requires_grad]
            gradients = [g for g in torch.autograd.grad(loss, trained, allow_unused=method == "no-branches") if g is not None]
        statistics = [b for n, b in made.named_buffers() if "running" in n]
        results.append([loss.detach(), *gradients, *statistics])
    for plain, again in zip(*results, strict=True):
        torch.testing.assert_close(again, plain, atol=1e-9, rtol=1e-9)


def test_running_statistics_count_each_batch_once():
    made = perturbed("resnet", 14, "batch-norm", blocks_per_segment=2).train()
    seen = []
    for norm in (m for m in made.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.register_forward_hook(lambda m, i, o: seen.append(m.momentum))
    F.cross_entropy(made(pixels()), torch.arange(6)).backward()
    assert seen.count(0.0) > 0  # in the second computation
    assert all(m.momentum == 0.1 for m in made.modules() if isinstance(m, nn.BatchNorm2d))
