"""``explain`` and ``attack`` from Python: any module, torchvision's networks, and what is refused."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn
from torchvision import models

from myths import saliency
from myths.lab.errors import UsageError
from myths.saliency.names import METHODS

captum = pytest.importorskip("captum.attr")
pytestmark = pytest.mark.filterwarnings("ignore:Input Tensor 0 did not", "ignore:Setting forward, backward hooks")


@pytest.fixture(scope="module")
def squeezenet():
    torch.manual_seed(0)
    return saliency.normalized(models.squeezenet1_1(weights=None, num_classes=5)).eval()


@pytest.fixture(scope="module")
def plain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()


@pytest.fixture
def photo():
    return torch.rand(3, 48, 48, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def digit():
    return torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("method", METHODS)
def test_any_module_is_explained_by_any_method(plain, digit, method):
    found = saliency.explain(plain, digit, method=method, n_steps=20)
    assert found.map.shape == (2, 8, 8)
    torch.testing.assert_close(found.map.mean((1, 2)), torch.ones(2))
    assert torch.equal(found.prediction, plain(digit).argmax(1))
    assert torch.equal(found.target, found.prediction)
    torch.testing.assert_close(found.confidence, plain(digit).softmax(1).amax(1))
    assert found.has_map.all()
    assert (found.completeness_error is not None) == (method in ("integrated-gradients", "deeplift"))


def test_the_defaults_are_captums(plain, digit):
    ours = saliency.explain(plain, digit, target=[2, 0], n_steps=40)
    theirs = captum.IntegratedGradients(plain).attribute(digit, target=torch.tensor([2, 0]), n_steps=40, method="riemann_middle")
    torch.testing.assert_close(ours.attributions, theirs.float())
    change = (plain(digit) - plain(torch.zeros_like(digit)))[torch.arange(2), [2, 0]]
    torch.testing.assert_close(ours.completeness_error, (theirs.float().sum((1, 2, 3)) - change).abs() / change.abs(), atol=1e-5, rtol=1e-3)
    lifted = saliency.explain(plain, digit, method="deeplift", target=1, baseline=0.5)
    expected = captum.DeepLift(plain).attribute(digit, torch.full_like(digit, 0.5), target=1)
    torch.testing.assert_close(lifted.attributions, expected.detach())


@pytest.mark.parametrize("layer", ["features.0", "features.3.squeeze", "features.12"])
def test_grad_cam_explains_the_layer_that_is_named(squeezenet, photo, layer):
    ours = saliency.explain(squeezenet, photo, method="grad-cam", layer=layer, target=1)
    network = models.squeezenet1_1(weights=None, num_classes=5).eval()
    network.load_state_dict(squeezenet.network.state_dict())
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    pixels = squeezenet.standardize(photo[None])
    coarse = captum.LayerGradCam(network, network.get_submodule(layer)).attribute(pixels, 1, relu_attributions=True)
    torch.testing.assert_close(ours.attributions, captum.LayerAttribution.interpolate(coarse, (48, 48), "bilinear").detach())


def test_an_attack_keeps_the_class_and_the_budget_and_moves_the_map(squeezenet, photo):
    found = saliency.attack(squeezenet, photo, method="gradient", epsilon=6, n_iterations=8, step_size=2, eval_interval=2)
    assert found.image.shape == (1, 3, 48, 48)
    assert bool(found.prediction_kept)
    assert float(found.largest_change) <= 6.001
    assert float(found.intersection) < 0.8
    assert found.k == 46
    again = saliency.explain(squeezenet, found.image, method="gradient", target=int(found.before.prediction))
    torch.testing.assert_close(again.map, found.after.map)
    assert found.figure().axes
    noise = saliency.attack(squeezenet, photo, method="gradient", epsilon=6, attack="random")
    assert float(noise.intersection) > float(found.intersection)


def test_a_transformer_is_attacked_though_fused_attention_has_no_second_derivative():
    torch.manual_seed(0)

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 4)
            self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

        def forward(self, x):
            return self.head(self.block(self.patches(x).flatten(2).transpose(1, 2)).mean(1))

    image = torch.rand(3, 16, 16)
    for method in ("gradient", "deeplift"):
        found = saliency.attack(Small(), image, method=method, n_iterations=3, step_size=3, eval_interval=1)
        assert found.intersection.isfinite()
    lifted = saliency.explain(Small(), image, method="deeplift")
    assert float(lifted.completeness_error) < 1e-3


def test_the_model_and_the_image_stay_as_they_were(plain, digit):
    class Greedy(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.drop = plain, nn.Dropout()

        def forward(self, x):
            return self.drop(self.inner(x.sub_(0.5)))

    model, before = Greedy().train(), digit.clone()
    parameters = {name: p.clone() for name, p in model.state_dict().items()}
    saliency.explain(model, digit, method="gradient")
    saliency.attack(model, digit, method="deeplift", n_iterations=2)
    assert torch.equal(digit, before)
    assert model.training
    assert model.drop.training
    assert all(torch.equal(p, model.state_dict()[name]) for name, p in parameters.items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_a_map_that_says_nothing_is_no_map(digit):
    class Blind(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :3] * 0 + torch.tensor([1.0, 2.0, 3.0])

    found = saliency.attack(Blind(), digit, method="gradient", n_iterations=2)
    assert not found.before.has_map.any()
    assert found.intersection.isnan().all()
    assert found.spearman.isnan().all()


def test_a_linear_network_has_the_same_gradient_everywhere(digit):
    found = saliency.attack(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), digit, method="gradient", n_iterations=3)
    assert (found.intersection == 1).all()


def broken(value):
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))
    with torch.no_grad():
        network[0].weight[0, 0, 0, 0] = value
    return network


class Dictionary(nn.Module):
    def forward(self, x):
        return {"logits": x.flatten(1)}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image": torch.full((1, 8, 8), 200.0)}, "outside 0..1.*normalized"),
        ({"image": torch.full((1, 8, 8), math.nan)}, "NaN"),
        ({"image": torch.zeros(1, 8, 8, dtype=torch.uint8)}, "float.. / 255"),
        ({"image": torch.zeros(8, 8)}, r"shape \(8, 8\).*\[c, h, w\]"),
        ({"image": torch.zeros(3, 8, 8)}, "8 x 8 pixels and 3 channels"),
        ({"image": torch.zeros(1, 9, 9)}, "9 x 9 pixels"),
        ({"model": Dictionary()}, "dict.*forward returns logits"),
        ({"model": broken(math.nan)}, "not finite.*weights"),
        ({"model": broken(math.inf)}, "not finite.*weights"),
        ({"method": "lrp"}, "method=lrp.*grad-cam"),
        ({"target": 3}, "class 3.*0 to 2"),
        ({"target": [0, 1, 2]}, "3 classes for 1 images"),
        ({"layer": "0"}, "layer=0: only method=grad-cam"),
        ({"method": "grad-cam", "layer": "7"}, "layer=7.*convolutions are 0"),
        ({"method": "grad-cam", "layer": "3"}, r"layer=3: its output is \(1, 3\)"),
        ({"baseline": 1.5}, "baseline=1.5"),
        ({"baseline": [0.1, 0.2]}, "one number or 1"),
        ({"n_steps": 0}, "n_steps=0"),
        ({"output": "loss"}, "output=loss"),
        ({"method": "deeplift", "output": "probability"}, "logit"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_sentence(plain, changed, said):
    with pytest.raises(UsageError, match=said):
        saliency.explain(**{"model": plain, "image": torch.rand(1, 8, 8)} | changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"epsilon": 0}, "above 0"),
        ({"k": 65}, "expected 1 to 64"),
        ({"n_iterations": 0}, "n_iterations=0"),
        ({"beta": 0}, "beta=0"),
        ({"attack": "fgsm"}, "top-k"),
    ],
)
def test_what_is_no_attack_is_refused(plain, digit, changed, said):
    with pytest.raises(UsageError, match=said):
        saliency.attack(plain, digit, **changed)


def test_normalization_is_worked_into_the_network(plain, digit):
    wrapped = saliency.normalized(plain, [0.3], [0.2])
    torch.testing.assert_close(wrapped(digit), plain((digit - 0.3) / 0.2))
    lifted = saliency.explain(wrapped, digit, method="deeplift")  # against the color that the network sees as zero
    torch.testing.assert_close(
        lifted.attributions.sum((1, 2, 3)), (plain((digit - 0.3) / 0.2) - plain(digit * 0)).amax(1), rtol=1e-2, atol=10
    )
    with pytest.raises(UsageError, match="one of each per channel"):
        saliency.normalized(plain, [0.3], [0.0])


def test_importing_the_myth_does_not_import_torch():
    code = "import sys, myths, myths.saliency; assert 'torch' not in sys.modules; from myths.saliency import explain, attack"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
