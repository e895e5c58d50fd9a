"""What is judged is what is attacked: the softplus network is the network, for every method.

``MYTHS_LONG=1`` takes every method on every family and every network of the suite, some ten minutes of one core.
"""

import os

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from myths.lab.errors import UsageError
from myths.lab.vision.networks import NETWORKS
from myths.saliency.attributions import make_attribution, noise_for
from myths.saliency.maps import pixel_map
from myths.saliency.names import METHODS
from myths.saliency.surrogate import softened
from tests.saliency.conftest import lively
from tests.saliency.families import FAMILIES, build

LONG = bool(os.environ.get("MYTHS_LONG"))
SLOW = {"maxvit_t", "vit_b_16", "swin_t", "swin_v2_t", "inception_v3", "efficientnet_v2_s", "convnext_tiny", "vgg11", "vgg11_bn"}
SLOW |= {"wide_resnet50_2", "resnext50_32x4d"}
OURS = ("small_cnn", "mnist_cnn", "resnet8", "wide_resnet_10_2", "fast_narrow")


def pairs():
    """Each quick family by one method that goes through hooks or rules and by one that does not, each method several times."""
    for i, name in enumerate(FAMILIES):
        if LONG:
            yield from ((name, method) for method in METHODS)
        elif name not in SLOW:
            yield name, ("grad-cam", "deeplift")[i % 2]
            yield name, ("gradient", "integrated-gradients", "smoothgrad", "gradient-times-input")[i % 4]


def assert_same(network, size, method, channels=3):
    images = torch.rand(1, channels, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    baseline = torch.full((channels, 1, 1), 0.5, dtype=torch.float64)
    how = make_attribution(method, baseline, n_steps=2, noise=noise_for(method, 2, images, torch.Generator().manual_seed(0)))
    with torch.no_grad():
        likely = network(images).argsort(1, descending=True)
    # Grad-CAM of a class that nothing speaks for is empty: the likeliest class with a map.
    labels, ours = next((c, found) for c in likely.unbind(1) if (found := how.attribute(network, images, c)).any())
    # At 1e6 a unit within 1e-5 of zero, of which a large network has a few, is still a little smooth; at 1e12 there is none.
    for beta, error in ((1e6, 2e-3), (1e12, 1e-7)):
        theirs = pixel_map(how.attribute(softened(network, beta), images, labels))
        torch.testing.assert_close(theirs, pixel_map(ours), rtol=0, atol=error * float(pixel_map(ours).max()))


@pytest.mark.parametrize(("name", "method"), list(pairs()))
def test_at_great_sharpness_maps_of_torchvisions_networks_are_those_of_the_softplus_network(name, method):
    network, size = build(name)
    assert_same(network, size, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", list(NETWORKS) if LONG else OURS)
def test_at_great_sharpness_maps_of_our_networks_are_those_of_the_softplus_network(name, method):
    assert_same(lively(name).double(), 16, method)


class Each(nn.Module):
    """A network that calls an activation in one of the ways there are, and uses what an in-place call has overwritten."""

    def __init__(self, activation):
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4 * 64, 5)
        self.slopes = nn.Parameter(torch.tensor([0.1, 0.2, 0.3, 0.4]))
        self.activation = activation

    def forward(self, x):
        x = self.first(x)
        y = self.activation(self, x)
        z = self.second(y) * 1.0
        self.activation(self, z)
        return self.head((x[..., 1:-1, 1:-1] + z).flatten(1))


ACTIVATIONS = {
    "module in place": lambda self, x: nn.ReLU(inplace=True)(x),
    "functional": lambda self, x: F.relu(x),
    "functional in place": lambda self, x: F.relu(x, inplace=True),
    "functional in place by position": lambda self, x: F.relu(x, True),
    "torch in place": lambda self, x: torch.relu_(x),
    "method in place": lambda self, x: x.relu_(),
    "relu6": lambda self, x: F.relu6(3 * x),
    "relu6 in place": lambda self, x: nn.ReLU6(inplace=True)(x),
    "hardtanh": lambda self, x: F.hardtanh(x, -0.5, 0.5),
    "hardsigmoid": lambda self, x: x * F.hardsigmoid(4 * x),
    "leaky": lambda self, x: F.leaky_relu(x, 0.2),
    "leaky in place": lambda self, x: F.leaky_relu_(x, 0.2),
    "prelu": lambda self, x: F.prelu(x, self.slopes),
    "threshold": lambda self, x: F.threshold(x, 0.1, 0.1),
    "clamp": lambda self, x: x.clamp(min=0),
    "clamp in place": lambda self, x: x.clamp_(min=0, max=1),
    "clamp_min": lambda self, x: torch.clamp_min(x, 0),
    "silu in place": lambda self, x: F.silu(x, inplace=True),
    "elu in place": lambda self, x: F.elu_(x),
    "hardswish in place": lambda self, x: F.hardswish(x, inplace=True),
    "gate in place": lambda self, x: x.mul_(torch.sigmoid(x)),
    "sum in place": lambda self, x: x.add_(F.relu(x)),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_every_way_to_call_an_activation_is_the_same_in_the_softplus_network(activation, method):
    torch.manual_seed(0)
    assert_same(Each(ACTIVATIONS[activation]).double().eval().requires_grad_(False), 12, method)


PIECEWISE = [name for name in ACTIVATIONS if not any(word in name for word in ("silu", "elu", "swish", "gate"))]


@pytest.mark.parametrize("activation", [*PIECEWISE, "leaky", "prelu", "relu6"])
def test_what_is_piecewise_linear_becomes_smooth(activation):
    """Its second derivative, which is zero almost everywhere, is that of a sum of softplus functions."""
    torch.manual_seed(0)
    network = softened(Each(ACTIVATIONS[activation]).double().eval().requires_grad_(False), 5.0)
    x = torch.rand(1, 3, 12, 12, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(network(x)[0, 0], x, create_graph=True)
    (bent,) = torch.autograd.grad(slope.square().sum(), x)
    assert float(bent.abs().max()) > 1e-6
    assert torch.autograd.gradgradcheck(lambda z: network(z)[:, 0], x, fast_mode=True)


def test_a_clamp_that_keeps_a_denominator_above_zero_is_left_as_it_is():
    class Net(nn.Module):
        def forward(self, x):
            return (x / x.norm(dim=1, keepdim=True).clamp_min(1e-6)).flatten(1)

    x = torch.rand(1, 3, 4, 4)
    assert torch.equal(softened(Net(), 1.0)(x), Net()(x))


def test_grad_cam_before_an_in_place_relu_is_grad_cam_before_another(images, labels, baseline):
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 5)
    plain, overwriting = (nn.Sequential(layers[0], nn.ReLU(inplace=i), *layers[1:]).double() for i in (False, True))
    how = make_attribution("grad-cam", baseline)
    torch.testing.assert_close(how.attribute(overwriting, images, labels), how.attribute(plain, images, labels))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_networks_that_hide_their_activations_are_refused(images, labels, baseline):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(784, 5)).double()
    for hidden, word in ((torch.jit.trace(network, images), "scripted"), (torch.compile(network, backend="eager"), "compiled")):
        with pytest.raises(UsageError, match=f"{word}.*pass the module"):
            softened(hidden, 5.0)
        with pytest.raises(UsageError, match=f"{word}.*pass the module"):
            make_attribution("deeplift", baseline).attribute(hidden, images, labels)
