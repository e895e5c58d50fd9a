"""Each method against captum, which works through hooks and module replacement instead; completeness; memory; derivatives."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from myths.lab.errors import UsageError
from myths.saliency.attributions import deeplift, grad_cam, make_attribution, noise_for
from myths.saliency.maps import pixel_map
from myths.saliency.names import METHODS
from myths.saliency.surrogate import softened, softplus
from tests.saliency.conftest import lively

captum = pytest.importorskip("captum.attr")
pytestmark = pytest.mark.filterwarnings("ignore:Input Tensor 0 did not", "ignore:Setting forward, backward hooks")


class Modules(nn.Module):
    """The small CNN as captum wants it: each nonlinearity a module of its own.

    Pooled by the mean: with a maximum beside a ReLU the contributions of captum 0.9 do not add up (its convergence delta is as large as
    they are), while ours do, as tested below; a maximum alone is compared with captum's.
    """

    def __init__(self, network):
        super().__init__()
        self.standardize = network.standardize
        self.stages = nn.ModuleList(
            nn.Sequential(conv, norm, nn.ReLU(), nn.AvgPool2d(2)) for conv, norm in zip(network.convs, network.norms, strict=True)
        )
        self.head = network.head

    def forward(self, x):
        x = self.standardize(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(x.flatten(1))


def test_gradient_is_captums_saliency(network, images, labels, baseline):
    ours = make_attribution("gradient", baseline).attribute(network, images, labels)
    theirs = captum.Saliency(network).attribute(images.requires_grad_(), labels, abs=False)
    torch.testing.assert_close(ours, theirs)


def test_gradient_of_the_probability(network, images, labels, baseline):
    ours = make_attribution("gradient", baseline, output="probability").attribute(network, images, labels)
    theirs = captum.Saliency(nn.Sequential(network, nn.Softmax(1))).attribute(images.requires_grad_(), labels, abs=False)
    torch.testing.assert_close(ours, theirs)


def test_gradient_times_input_is_captums_for_a_black_reference(network, images, labels, baseline):
    ours = make_attribution("gradient-times-input", torch.zeros_like(baseline)).attribute(network, images, labels)
    torch.testing.assert_close(ours, captum.InputXGradient(network).attribute(images.requires_grad_(), labels).detach())


@pytest.mark.parametrize("output", ["logit", "probability"])
def test_integrated_gradients_are_captums_midpoint_rule(network, images, labels, baseline, output):
    ours = make_attribution("integrated-gradients", baseline, output=output, n_steps=13).attribute(network, images, labels)
    forward = network if output == "logit" else nn.Sequential(network, nn.Softmax(1))
    baselines = baseline.expand_as(images)
    theirs = captum.IntegratedGradients(forward).attribute(images, baselines, labels, n_steps=13, method="riemann_middle")
    torch.testing.assert_close(ours, theirs)


def test_smoothgrad_is_the_mean_of_captums_saliency_over_the_noise(network, images, labels, baseline):
    smooth = make_attribution("smoothgrad", baseline, n_steps=5, noise=noise_for("smoothgrad", 5, images, torch.Generator().manual_seed(3)))
    noisy = [(images + n).requires_grad_() for n in smooth.noise]
    theirs = torch.stack([captum.Saliency(network).attribute(x, labels, abs=False) for x in noisy]).mean(0)
    torch.testing.assert_close(smooth.attribute(network, images, labels), theirs)
    assert 0.14 < float(smooth.noise.std()) < 0.16


def test_deeplift_is_captums_rescale_rule(images, labels, baseline):
    network = Modules(lively("small_cnn").double())
    ours = make_attribution("deeplift", baseline).attribute(network, images, labels)
    theirs = captum.DeepLift(network).attribute(images, baseline.expand_as(images), labels)
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-9)


def test_deeplift_through_a_maximum_is_captums(images, labels):
    torch.manual_seed(0)
    network = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(192, 5)).double()
    baseline = torch.tensor([0.4, 0.5, 0.6], dtype=torch.float64)[:, None, None]
    ours = make_attribution("deeplift", baseline).attribute(network, images, labels)
    theirs, gap = captum.DeepLift(network).attribute(images, baseline.expand_as(images), labels, return_convergence_delta=True)
    assert float(gap.abs().max()) < 1e-12
    torch.testing.assert_close(ours, theirs.detach())


def test_deeplift_of_softplus_is_captums(images, labels, baseline):
    network = Modules(lively("small_cnn").double())
    ours = make_attribution("deeplift", baseline).attribute(softened(network, 4.0), images, labels)
    for stage in network.stages:
        stage[2] = nn.Softplus(beta=4.0)
    theirs = captum.DeepLift(network).attribute(images, baseline.expand_as(images), labels)
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-9)


def test_grad_cam_is_captums_at_the_last_convolution(network, images, labels, baseline):
    ours = make_attribution("grad-cam", baseline).attribute(network, images, labels)
    layer = grad_cam.last_convolution(network)
    coarse = captum.LayerGradCam(network, layer).attribute(images, labels, relu_attributions=True)
    torch.testing.assert_close(ours, captum.LayerAttribution.interpolate(coarse, (16, 16), "bilinear").detach())


@pytest.mark.parametrize("method", ["integrated-gradients", "deeplift"])
def test_contributions_add_up_to_the_change_of_the_output(network, images, labels, baseline, method):
    method_ = make_attribution(method, baseline, output="logit", n_steps=100)
    change = network(images) - network(baseline.expand_as(images))
    tolerance = {"rtol": 1e-6, "atol": 1e-8} if method == "deeplift" else {"rtol": 0.02, "atol": 1e-3}
    torch.testing.assert_close(
        method_.attribute(network, images, labels).sum((1, 2, 3)), change.gather(1, labels[:, None])[:, 0], **tolerance
    )


def test_deeplift_adds_up_through_overlapping_maxima(images, labels, baseline):
    torch.manual_seed(0)
    pools = nn.MaxPool2d(3, 2, 1), nn.ReLU(), nn.MaxPool2d(2, 1)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), *pools, nn.Flatten(), nn.Linear(144, 5)).double()
    change = (network(images) - network(baseline.expand_as(images))).gather(1, labels[:, None])[:, 0]
    torch.testing.assert_close(make_attribution("deeplift", baseline).attribute(network, images, labels).sum((1, 2, 3)), change)


def test_deeplift_of_an_image_that_is_the_reference_is_zero_and_finite(network, labels, baseline):
    same = baseline.expand(4, 3, 16, 16).clone()
    assert not make_attribution("deeplift", baseline).attribute(network, same, labels).any()
    half = same.clone()
    half[:, :, :8] = 1.0  # the other half does not change, which divides by zero if one is careless
    change = network(half) - network(same)
    found = make_attribution("deeplift", baseline).attribute(network, half, labels).sum((1, 2, 3))
    torch.testing.assert_close(found, change.gather(1, labels[:, None])[:, 0])


@pytest.mark.parametrize("method", METHODS)
def test_parts_and_chunks_change_nothing(images, labels, baseline, method):
    network = lively("small_cnn").double()
    whole = make_attribution(method, baseline, n_steps=7, noise=noise_for(method, 7, images, torch.Generator().manual_seed(0)))
    weights = torch.rand(4, 16, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    smooth = softened(network, 10.0)

    def objective(piece):
        return lambda maps: (maps * weights[piece]).sum((1, 2))

    once = whole.attribute(network, images, labels), whole.objective_gradient(smooth, images, labels, objective)
    for chunk in (1, 3, 10):
        parted = dataclasses.replace(whole, internal_batch_size=chunk)
        torch.testing.assert_close(parted.attribute(network, images, labels), once[0])
        torch.testing.assert_close(parted.objective_gradient(smooth, images, labels, objective), once[1])


@pytest.mark.parametrize("method", METHODS)
def test_the_attack_climbs_the_true_gradient_of_the_map(images, labels, baseline, method):
    """Against central differences of the softplus network's maps; max-pooling makes no kink at these points."""
    smooth = softened(lively("small_cnn").double(), 10.0)
    e = make_attribution(method, baseline, n_steps=3, noise=noise_for(method, 3, images, torch.Generator().manual_seed(0)))
    weights = torch.rand(4, 16, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    step = 1e-7 * torch.randn(images.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)

    def along(x):
        return (pixel_map(e.attribute(smooth, x, labels)) * weights).sum((1, 2))

    slope = e.objective_gradient(smooth, images, labels, lambda piece: lambda maps: (maps * weights[piece]).sum((1, 2)))
    torch.testing.assert_close((slope * step).sum((1, 2, 3)), (along(images + step) - along(images - step)) / 2, rtol=1e-3, atol=1e-12)


def test_memory_that_runs_out_halves_the_chunk_and_the_steps(images, labels, baseline, monkeypatch):
    """An image whose 8 steps do not fit at once is explained in parts, and the smaller chunk is kept and recorded."""
    network = lively("small_cnn").double()
    expected = make_attribution("integrated-gradients", baseline, n_steps=8).attribute(network, images, labels)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)

    class Small(nn.Module):
        def forward(self, x):
            if len(x) > 3:
                raise torch.OutOfMemoryError
            return network(x)

    tight = make_attribution("integrated-gradients", baseline, n_steps=8)
    torch.testing.assert_close(tight.attribute(Small(), images, labels), expected)
    assert tight.internal_batch_size <= 3


def test_softplus_approaches_relu_and_leaves_the_network_as_it_was(network, images):
    before = network(images)
    gaps = [float((softened(network, beta)(images) - before).abs().max()) for beta in (1.0, 10.0, 100.0, 1e4)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-2
    assert torch.equal(network(images), before)
    assert softened(network, 0.0) is network
    with pytest.raises(ValueError, match="above 0"):
        softened(network, -1.0)


@pytest.mark.parametrize("beta", [0.5, 2.0, 30.0])
def test_softplus_and_its_derivatives_are_the_closed_forms(beta):
    x = torch.linspace(-60, 60, 2001, dtype=torch.float64, requires_grad=True)
    up = torch.sigmoid(beta * x)
    expected = torch.logaddexp(beta * x, torch.zeros_like(x)) / beta, up, beta * up * (1 - up)
    for ours, theirs in zip(derivatives(lambda x: softplus(x, beta), x), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    for dtype, error in ((torch.float32, 1e-6), (torch.bfloat16, 8e-3)):
        rounded = x.detach().to(dtype)
        torch.testing.assert_close(softplus(rounded, beta).double(), F.softplus(rounded.double(), beta), rtol=error, atol=3e-7 / beta)


def derivatives(function, x):
    """Value, slope and curvature."""
    value = function(x)
    (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    return value, slope, torch.autograd.grad(slope.sum(), x)[0]


def test_in_place_and_functional_relus_are_softened():
    x = torch.linspace(-1, 1, 12).reshape(1, 1, 3, 4)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU(inplace=True)

        def forward(self, x):
            return (self.act(x * 1.0) + F.relu(x) + torch.relu(x) + x.relu()).flatten(1)

    torch.testing.assert_close(softened(Net(), 3.0)(x), 4 * F.softplus(x, beta=3.0).flatten(1))


@pytest.mark.parametrize("kind", [lambda x: x.round(), lambda x: x * (x > 0), lambda x: x.sort(1).values], ids=["round", "mask", "sort"])
@pytest.mark.parametrize("inside", [False, True])
def test_deeplift_refuses_what_does_not_add_up_and_names_the_module(images, labels, baseline, kind, inside):
    class Odd(nn.Module):
        def forward(self, x):
            return kind(3 * x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.odd, self.head = nn.Conv2d(3, 4, 3), Odd(), nn.Linear(784, 5)

        def forward(self, x):
            x = self.stem(x)
            x = kind(3 * x) if inside else self.odd(x)
            return self.head(x.relu().flatten(1))

    torch.manual_seed(0)
    named = "the network .Net. itself" if inside else "module 'odd' .Odd."
    with pytest.raises(UsageError, match=f"deeplift.*{named}.*integrated-gradients"):
        deeplift.attribute(Net().double().eval(), images, labels, baseline=baseline)


def test_deeplift_explains_the_logit_only(images, labels, baseline):
    with pytest.raises(UsageError, match="logit"):
        deeplift.attribute(lively("small_cnn").double(), images, labels, baseline=baseline, output="probability")


def test_grad_cam_needs_a_convolution(images, labels):
    with pytest.raises(UsageError, match="convolutions"):
        grad_cam.attribute(nn.Sequential(nn.Flatten(), nn.Linear(768, 5)).double(), images, labels)


def test_smoothgrad_needs_its_noise(baseline):
    with pytest.raises(ValueError, match="needs noise"):
        make_attribution("smoothgrad", baseline)
