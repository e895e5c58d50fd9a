"""Published parameter counts, every name at every size, and what the training images calibrate."""

import pytest
import torch
from torch import nn

from myths.lab.errors import UsageError
from myths.lab.vision.networks import NETWORKS, AirbenchNet, WideResNet, build, channel_statistics, whitening_filters

BIG = ("wide_resnet_28_10", "wide_resnet_28_10_dropout", "resnet18")


def images(n=200, channels=3, size=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, 256, (n, channels, size // 4, size // 4), generator=generator).float()
    smooth = nn.functional.interpolate(coarse, size=size, mode="bilinear")
    noise = torch.randint(-20, 21, smooth.shape, generator=generator)
    return (smooth + noise).clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # He et al. 2016, Table 6: 0.27M and 0.85M.
        ("resnet20", 269_722),
        ("resnet56", 853_018),
        # The CIFAR ResNet-18 of Cutout, and Zagoruyko & Komodakis 2016, Table 4: 2.7M and 36.5M.
        ("resnet18", 11_173_962),
        ("wide_resnet_16_4", 2_748_890),
        ("wide_resnet_28_10", 36_479_194),
    ],
)
def test_parameters_as_published(name, parameters):
    with torch.device("meta"):
        network = build(name, 10, 3, 32)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - set(BIG)))
@pytest.mark.parametrize(("channels", "size", "classes"), [(1, 8, 10), (3, 16, 4), (1, 28, 10), (3, 32, 100), (3, 64, 7)])
def test_shapes(name, channels, size, classes):
    network = build(name, classes, channels, size).eval()
    x = torch.rand(2, channels, size, size)
    features = network.features(x)
    assert features.ndim == 2
    assert features.shape[1] == network.head.in_features
    assert torch.equal(network(x), network.head(features))
    assert network(x).shape == (2, classes)


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(UsageError, match="resnet20"):
        build("resnet19", 10, 3, 32)
    with pytest.raises(ValueError, match="6n"):
        WideResNet(10, 3, 17, 4)


def test_the_mnist_network_is_that_of_pytorchs_examples():
    network = build("mnist_cnn", 10, 1, 28)
    assert sum(p.numel() for p in network.parameters()) == 21_840
    assert network.hidden.in_features == 320
    x = torch.rand(4, 1, 28, 28)
    assert torch.equal(network.train()(x), network.eval()(x))
    dropping = build("mnist_cnn_dropout", 10, 1, 28)
    dropping.load_state_dict(network.state_dict())
    assert not torch.equal(dropping.train()(x), network(x))
    assert torch.equal(dropping.eval()(x), network(x))


def test_dropout_is_between_the_convolutions():
    with torch.device("meta"):
        network = build("wide_resnet_28_10_dropout", 10, 3, 32)
    assert {m.p for m in network.modules() if isinstance(m, nn.Dropout)} == {0.3}


def test_option_a_shortcuts_carry_every_other_pixel_and_zeros():
    block = build("resnet8", 10, 3, 32).stages[1]
    x = torch.rand(2, 16, 8, 8)
    carried = block._shortcut(x)
    assert carried.shape == (2, 32, 4, 4)
    assert torch.equal(carried[:, 8:24], x[:, :, ::2, ::2])
    assert not carried[:, :8].any()
    assert not carried[:, 24:].any()


def test_standardize_is_what_numpy_says():
    x = images()
    mean, deviation = channel_statistics(x)
    pixels = (x.double() / 255).transpose(0, 1).flatten(1)
    torch.testing.assert_close(mean, pixels.mean(1).float())
    torch.testing.assert_close(deviation, pixels.std(1, correction=0).float())
    network = build("small_cnn", 10, 3, 16)
    network.calibrate(x)
    standard = network.standardize(x.float() / 255).transpose(0, 1).flatten(1)
    torch.testing.assert_close(standard.mean(1), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(standard.std(1), torch.ones(3), atol=1e-3, rtol=0)


def test_a_constant_channel_divides_by_one():
    assert channel_statistics(torch.zeros(2, 1, 8, 8, dtype=torch.uint8))[1].item() == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_whitened_patches_have_identity_covariance(channels):
    x = images(channels=channels)
    network = AirbenchNet(10, channels, (8, 8, 8))
    network.calibrate(x)
    patch = 4 * channels
    responses = network.whiten(network.standardize(x.float() / 255)).detach()
    responses = responses.transpose(0, 1).flatten(1)
    torch.testing.assert_close(torch.cov(responses[:patch]), torch.eye(patch), atol=0.05, rtol=0)
    assert torch.equal(responses[:patch], -responses[patch:])
    assert not network.whiten.weight.requires_grad


def test_whitening_without_ridge_is_exact():
    x = torch.randn(100, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    filters = whitening_filters(x, 2, ridge=0.0)
    responses = nn.functional.conv2d(x, filters).transpose(0, 1).flatten(1)
    torch.testing.assert_close(torch.cov(responses), torch.eye(8), atol=1e-4, rtol=0)


def test_the_fast_convolutions_begin_as_the_identity():
    conv = build("fast_narrow", 10, 3, 32).groups[0].conv1
    x = torch.rand(1, 24, 5, 5)
    torch.testing.assert_close(conv(x)[:, :24], x)


def test_compiles_where_the_run_time_checks_are_off(tmp_path):
    import subprocess
    import sys

    code = """
import torch
from myths.lab.vision.networks import build
for name in ("small_cnn", "resnet8", "wide_resnet_10_2", "fast_narrow"):
    network = build(name, 10, 3, 16).eval()
    x = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(torch.compile(network, backend="eager", fullgraph=True)(x), network(x))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
