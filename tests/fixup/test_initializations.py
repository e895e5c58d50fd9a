"""Every weight against the paper's rules, for branches of two and three layers and several L, and what follows for the function."""

import math

import pytest
import torch
from scipy import stats
from torch import nn

from myths.fixup.initializations import fixup_factor, orthonormal
from myths.fixup.methods import METHODS
from myths.fixup.network import build

SHAPES = [("wide-resnet", 10), ("wide-resnet", 58), ("resnet", 20), ("resnet", 110), ("bottleneck", 29), ("bottleneck", 110)]


def network(architecture="resnet", depth=20, method="fixup", seed=0, channels=3, width=16):
    torch.manual_seed(seed)
    return build(architecture, depth, method, 10, channels, width)


def images(n=16, channels=3, size=8):
    return torch.randint(0, 256, (n, channels, size, size), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def assert_deviation(weight, expected):
    """By the chi-squared interval of the variance of normal numbers, so wide that one in a million strays."""
    weight = weight.detach()
    n = weight.numel()
    low, high = stats.chi2.ppf([1e-7, 1 - 1e-7], n) / n
    assert low <= float(weight.double().square().mean()) / expected**2 <= high
    assert abs(float(weight.mean())) <= 5.5 * expected / math.sqrt(n)


def he(conv):
    return math.sqrt(2 / (conv.out_channels * conv.kernel_size[0] * conv.kernel_size[1]))


@pytest.mark.parametrize(("architecture", "depth"), SHAPES)
def test_fixup_s_three_rules_hold_for_every_weight(architecture, depth):
    made = network(architecture, depth)
    m = 3 if architecture == "bottleneck" else 2
    branches = {"wide-resnet": (depth - 4) // 2, "resnet": (depth - 2) // 2, "bottleneck": (depth - 2) // 3}[architecture]
    assert len(made.blocks) == branches
    assert torch.count_nonzero(made.head.weight) == torch.count_nonzero(made.head.bias) == 0
    assert_deviation(made.stem.weight, he(made.stem))
    for block in made.blocks:
        assert len(block.convs) == m
        *inner, last = block.convs
        assert torch.count_nonzero(last.weight) == 0
        for conv in inner:
            assert_deviation(conv.weight, he(conv) * branches ** (-0.5 if m == 2 else -0.25))
        for module in block.shortcut.modules() if block.shortcut is not None else ():
            if isinstance(module, nn.Conv2d):
                assert_deviation(module.weight, he(module))  # no part of the branch
        assert block.scale.item() == 1
        assert block.shifts.shape == (2 * m,)  # one before every layer and every activation
        assert torch.count_nonzero(block.shifts) == 0
    assert not any(isinstance(module, nn.BatchNorm2d | nn.GroupNorm) for module in made.modules())
    assert all(module.bias is None for module in made.modules() if isinstance(module, nn.Conv2d))


@pytest.mark.parametrize(("m", "exponent"), [(2, -1 / 2), (3, -1 / 4), (4, -1 / 6)])
@pytest.mark.parametrize("branches", [3, 54, 5000])
def test_the_factor_is_that_of_the_paper(m, exponent, branches):
    assert fixup_factor(branches, m) == pytest.approx(branches**exponent)


def test_a_branch_of_one_layer_has_no_factor():
    with pytest.raises(ValueError, match="one layer"):
        fixup_factor(10, 1)


@pytest.mark.parametrize(("architecture", "depth"), [("wide-resnet", 22), ("resnet", 20), ("bottleneck", 29)])
@pytest.mark.parametrize("method", ["he", "he-scaled", "skipinit", "rezero", "batch-norm", "group-norm", "layer-norm"])
def test_the_other_treatments_draw_their_weights_unscaled(architecture, depth, method):
    made = network(architecture, depth, method)
    for module in made.modules():
        if isinstance(module, nn.Conv2d):
            glorot = math.sqrt(2 / ((module.in_channels + module.out_channels) * module.kernel_size[0] ** 2))
            assert_deviation(module.weight, glorot if method == "rezero" else he(module))
            assert (module.bias is None) == method.endswith("norm")
            assert module.bias is None or torch.count_nonzero(module.bias) == 0
    gated = method in ("skipinit", "rezero")
    assert all((block.scale is not None and block.scale.item() == 0) if gated else block.scale is None for block in made.blocks)


@pytest.mark.parametrize(("architecture", "depth"), [("wide-resnet", 22), ("resnet", 20), ("bottleneck", 29)])
def test_unit_variance_leaves_every_layer_with_outputs_of_deviation_one(architecture, depth):
    made = network(architecture, depth, "lsuv")
    made.calibrate(images())
    deviations = []
    for module in made.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda _, __, output: deviations.append(float(output.detach().std())))
    with torch.no_grad():
        made(images().float() / 255)
    assert len(deviations) == sum(isinstance(m, nn.Conv2d | nn.Linear) for m in made.modules())
    assert deviations == pytest.approx([1.0] * len(deviations), rel=1e-3)


def test_orthonormal_weights_are_orthonormal():
    for shape in [(8, 2, 3, 3), (64, 2, 3, 3)]:
        flat = orthonormal(torch.randn(shape, generator=torch.Generator().manual_seed(0))).flatten(1)
        gram = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
        torch.testing.assert_close(gram, torch.eye(len(gram)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("architecture", "depth"), SHAPES)
def test_fixup_starts_as_the_zero_function(architecture, depth):
    with torch.no_grad():
        made = network(architecture, depth, width=4)
        made.calibrate(images())
        assert torch.count_nonzero(made(images().float() / 255)) == 0


@pytest.mark.parametrize("method", ["fixup", "skipinit", "rezero"])
def test_branches_that_start_at_zero_leave_features_that_do_not_depend_on_the_branches(method):
    made = network("resnet", 20, method, width=4)
    with torch.no_grad():
        before = made.features(images().float() / 255)
        for block in made.blocks:
            block.convs[0].weight.mul_(7)
        torch.testing.assert_close(made.features(images().float() / 255), before)


def test_without_normalization_features_grow_by_a_factor_a_branch_which_the_scaled_sum_takes_back():
    sizes = {}
    for method in ("he", "he-scaled"):
        for depth in (22, 58):
            with torch.no_grad():
                features = network("wide-resnet", depth, method).double().features(images(8, size=32).double() / 255)
            sizes[method, depth] = float(features.square().mean().sqrt())
    assert sizes["he", 58] > 1.2**18 * sizes["he", 22]
    for depth in (22, 58):  # without biases the network is homogeneous: every √½ comes out of it
        assert sizes["he-scaled", depth] == pytest.approx(sizes["he", depth] * 0.5 ** ((depth - 4) / 4), rel=1e-6)


def test_seeds_are_paired_over_treatments():
    he_, fixup = network(method="he"), network(method="fixup")
    torch.testing.assert_close(fixup.blocks[4].convs[0].weight, he_.blocks[4].convs[0].weight * 9**-0.5)


def test_the_table_names_what_the_issue_asks_for():
    compared = {"he", "he-scaled", "lsuv", "fixup", "skipinit", "rezero", "batch-norm", "group-norm", "layer-norm", "dyt"}
    assert set(METHODS) == compared | {"no-branches"}
