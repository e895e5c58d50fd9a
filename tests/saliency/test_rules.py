"""DeepLIFT's rules: captum's where captum's add up, closed forms for products, and a sum that is right for every kind of network."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models

from myths.lab.errors import UsageError
from myths.saliency.attributions import deeplift, make_attribution
from tests.saliency.families import FAMILIES, build
from tests.saliency.test_same_network import LONG, SLOW

captum = pytest.importorskip("captum.attr")


class Of(nn.Module):
    """A function of features between two linear maps."""

    def __init__(self, function, features=6, outputs=6):
        super().__init__()
        torch.manual_seed(0)
        self.into, self.out = nn.Linear(12, features), nn.Linear(outputs, 5)
        self.function = function
        self.parameter = nn.Parameter(torch.rand(features))
        self.double().eval()

    def forward(self, x):
        return self.out(self.function(self, self.into(x.flatten(1))))


@pytest.fixture
def small():
    generator = torch.Generator().manual_seed(2)
    return torch.rand(4, 3, 2, 2, generator=generator, dtype=torch.float64), torch.tensor([0, 1, 2, 4]), torch.full((3, 1, 1), 0.3).double()


def contributions(network, small):
    images, labels, baseline = small
    return deeplift.attribute(network, images, labels, baseline=baseline)


def tokens(x):
    """Three tokens of two channels."""
    return x.unflatten(1, (3, 2))


FUNCTIONS = {
    "squeeze and excitation": lambda self, x: x * torch.sigmoid(x.mean(1, keepdim=True)),
    "gate in place": lambda self, x: (x * 1.0).mul_(x.sigmoid()),
    "a tensor overwritten after it was used": lambda self, x: x.sigmoid() + x.mul_(2.0),
    "product of three": lambda self, x: x * x.sin() * x.exp(),
    "square": lambda self, x: x**2,
    "square by product": lambda self, x: x * x,
    "power of two": lambda self, x: 2**x,
    "power of tensors": lambda self, x: (x.abs() + 1) ** x,
    "quotient": lambda self, x: x / (1 + x.square()),
    "inverse": lambda self, x: 1 / (2 + x.square()),
    "scaled by a parameter": lambda self, x: x * self.parameter / (1 + self.parameter),
    "clamp": lambda self, x: x.clamp(-0.2, 0.3),
    "prelu": lambda self, x: F.prelu(x, self.parameter),
    "selu": lambda self, x: F.selu(x),
    "elu in place": lambda self, x: F.elu(x, 1.0, True),
    "leaky in place": lambda self, x: F.leaky_relu_(x, 0.1),
    "mish": lambda self, x: F.mish(x),
    "maximum": lambda self, x: torch.maximum(x, x.flip(1)),
    "minimum with a parameter": lambda self, x: torch.min(x, self.parameter - 0.5),
    "largest": lambda self, x: x - x.amax(1, keepdim=True),
    "smallest with its place": lambda self, x: x - x.min(dim=1, keepdim=True).values,
    "softmax": lambda self, x: x.softmax(1),
    "softmax of large scores": lambda self, x: (2000 * x).softmax(1),
    "masked softmax": lambda self, x: x.masked_fill(torch.arange(6) > 3, -torch.inf).softmax(1),
    "log softmax": lambda self, x: F.log_softmax(x, 1),
    "softmin": lambda self, x: F.softmin(x, dim=1),
    "logsumexp": lambda self, x: x + torch.logsumexp(x, 1, keepdim=True),
    "layer norm": lambda self, x: F.layer_norm(x, (6,), self.parameter),
    "rms norm": lambda self, x: F.rms_norm(x, (6,), self.parameter),
    "group norm": lambda self, x: F.group_norm(x, 2, self.parameter, self.parameter),
    "instance norm": lambda self, x: F.instance_norm(x.unflatten(1, (2, 3))).flatten(1),
    "unit length": lambda self, x: F.normalize(x, dim=1),
    "length": lambda self, x: x / (1 + x.norm(dim=1, keepdim=True) + torch.linalg.vector_norm(x, dim=1, keepdim=True)),
    "variance": lambda self, x: x * x.var(1, keepdim=True) + x.std(1, keepdim=True),
    "matrix product": lambda self, x: (tokens(x) @ tokens(x).transpose(1, 2) @ tokens(x)).flatten(1),
    "einsum": lambda self, x: torch.einsum("bij,bkj->bik", tokens(x), tokens(x)).flatten(1)[:, :6],
    "attention": lambda self, x: F.scaled_dot_product_attention(tokens(x), 2 * tokens(x), tokens(x)).flatten(1),
    "causal attention": lambda self, x: F.scaled_dot_product_attention(tokens(x), tokens(x), tokens(x), is_causal=True).flatten(1),
    "a mask that is constant": lambda self, x: x * (self.parameter > 0.5),
    "indices": lambda self, x: x[:, torch.arange(6) * 1],
    "glu": lambda self, x: torch.cat([F.glu(x, 1), x[:, :3]], 1),
}  # fmt: skip


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_contributions_add_up_through(name, small):
    """Compared as they stand, without the check that refuses."""
    images, labels, baseline = small
    network = Of(FUNCTIONS[name])
    found = contributions(network, small).sum((1, 2, 3))
    with torch.no_grad():
        change = (network(images) - network(baseline.expand_as(images))).gather(1, labels[:, None])[:, 0]
    torch.testing.assert_close(found, change, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_second_derivatives_exist_through(name, small):
    images, labels, baseline = small
    at = images.clone().requires_grad_()
    found = deeplift.attribute(Of(FUNCTIONS[name]), at, labels, baseline=baseline, create_graph=True)
    (slope,) = torch.autograd.grad(found.square().sum(), at)
    assert slope.isfinite().all()
    step = 1e-6 * torch.randn(images.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    if not any(word in name for word in ("large", "clamp", "maximum", "minimum", "largest", "smallest", "prelu", "leaky")):
        moved = [deeplift.attribute(Of(FUNCTIONS[name]), images + s, labels, baseline=baseline).square().sum() for s in (step, -step)]
        torch.testing.assert_close((slope * step).sum(), (moved[0] - moved[1]) / 2, rtol=1e-3, atol=1e-12)


def test_a_product_gives_each_factor_its_mean_over_both_orders(small):
    """Δ(ab) = b̄ Δa + ā Δb: the Shapley values of two players."""
    images, _, baseline = small

    class Product(nn.Module):
        def forward(self, x):
            return (x[:, 0] * x[:, 1]).flatten(1)

    labels = torch.zeros(4, dtype=torch.long)
    found = deeplift.attribute(Product(), images, labels, baseline=baseline)
    a, b, r = images[:, 0, 0, 0], images[:, 1, 0, 0], 0.3
    torch.testing.assert_close(found[:, 0, 0, 0], (a - r) * (b + r) / 2, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(found[:, 1, 0, 0], (b - r) * (a + r) / 2, rtol=1e-6, atol=1e-8)
    assert not found[:, 2].any()


def test_a_gate_gives_value_and_gate_their_shares_in_closed_form(small):
    images, _, baseline = small

    class Gate(nn.Module):
        def forward(self, x):
            return (x[:, 0] * torch.sigmoid(x[:, 1])).flatten(1)

    found = deeplift.attribute(Gate(), images, torch.zeros(4, dtype=torch.long), baseline=baseline)
    a, gate, r = images[:, 0, 0, 0], images[:, 1, 0, 0].sigmoid(), torch.tensor(0.3, dtype=torch.float64)
    torch.testing.assert_close(found[:, 0, 0, 0], (a - r.float()) * (gate + r.sigmoid()) / 2, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(found[:, 1, 0, 0], (gate - r.sigmoid()) * (a + r) / 2, rtol=1e-6, atol=1e-7)


@pytest.mark.filterwarnings("ignore:Setting forward, backward hooks", "ignore:Input Tensor 0 did not")
@pytest.mark.parametrize("activation", [nn.ELU(), nn.LeakyReLU(0.1), nn.Sigmoid(), nn.Tanh(), nn.Softplus(), nn.ReLU()])
def test_one_nonlinearity_is_captums(activation, small):
    images, labels, baseline = small
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), activation, nn.Linear(7, 5)).double()
    theirs, missing = captum.DeepLift(network).attribute(images, baseline.expand_as(images), labels, return_convergence_delta=True)
    if float(missing.abs().max()) < 1e-10:  # where captum's add up
        torch.testing.assert_close(contributions(network, small), theirs.detach())
    else:
        pytest.fail(f"captum misses {float(missing.abs().max()):g} with {activation}")


@pytest.mark.parametrize("name", [n for n in FAMILIES if LONG or n not in SLOW])
def test_contributions_add_up_in_single_precision_in_every_family_of_torchvision(name):
    """To a thirtieth of the tolerance at which a network is refused, so that rounding refuses none."""
    network, size = build(name, dtype=torch.float32)
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    baseline = torch.full((3, 1, 1), 0.5)
    with torch.no_grad():
        after, before = network(images), network(baseline.expand_as(images))
    labels = after.argmax(1)
    found = make_attribution("deeplift", baseline).attribute(network, images, labels)
    assert (
        float(deeplift.completeness_error(found, *(z.gather(1, labels[:, None])[:, 0] for z in (after, before))).max())
        < deeplift.TOLERANCE / 30
    )


@pytest.mark.parametrize(("name", "size"), [("mobilenet_v3_small", 32), ("convnext_tiny", 32)])
def test_a_sum_that_only_rounding_breaks_is_right_in_double_and_refused_with_that_advice(name, size):
    """Untrained, the first has outputs of 1e-11, and in the second contributions of 1e13 cancel to an output of 1."""
    torch.manual_seed(1)
    network = models.get_model(name, weights=None, num_classes=10).eval().requires_grad_(False)
    image, baseline = torch.rand(1, 3, size, size), torch.zeros(3, 1, 1)
    labels = network(image).argmax(1)
    with pytest.raises(UsageError, match=r"because float32 rounds too much in this network. Use model.double\(\)"):
        deeplift.attribute(network, image, labels, baseline=baseline)
    network, image, baseline = network.double(), image.double(), baseline.double()
    found = deeplift.attribute(network, image, labels, baseline=baseline).sum()
    change = (network(image) - network(baseline[None].expand_as(image)))[0, labels[0]]
    assert float(found / change) == pytest.approx(1, abs=1e-3)
