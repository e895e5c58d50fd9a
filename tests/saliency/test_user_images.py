"""The user's own picture and weights, from ``myths data add`` to the drawing; and what is refused on the way."""

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from myths.lab.data import prepared
from myths.lab.data.fetch import add
from myths.lab.errors import CannotStart, MythsError, UsageError
from myths.lab.execution import try_trial
from myths.lab.vision.pretrained import ARCHITECTURES, classes_of, identify, read
from myths.saliency import MYTH
from myths.saliency.names import SQUEEZENET_LAYER
from myths.saliency.pretrained import load
from myths.saliency.profiles import trials
from myths.saliency.trials import AttackImages, AttackUserImages
from myths.saliency.trials.attacks import method_name
from myths.saliency.trials.networks import EvaluatePretrained

FEW = ["image_size=48", "k=50", "n_iterations=2", "step_size=4", "eval_interval=1", "attack_n_steps=2", "n_steps=2"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mine(home):
    """A photograph and the weights of a SqueezeNet, added."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(home / "cat.jpg")
    torch.manual_seed(0)
    torch.save(models.squeezenet1_1(num_classes=7).state_dict(), home / "net.pth")
    add("my-picture", home / "cat.jpg")
    add("my-weights", home / "net.pth")


def attempted(*words):
    return try_trial.run(MYTH, "attack-user-images", ["image=my-picture", "weights=my-weights", *FEW, *words], "cpu", Path("elsewhere"))


def tried(*words):
    return attempted(*words).rows


def test_the_gallery_picture_of_ones_own_photograph(mine, home):
    found = attempted("method=integrated-gradients", "epsilon=8")
    (row,), (picture,) = found.rows, found.pictures
    assert row["architecture"] == "squeezenet1_1"
    assert row["file"] == "cat.jpg"
    assert row["label_kept"] is True
    assert row["linf_levels"] <= 8.001
    assert 0 <= row["intersection"] <= 1
    with Image.open(home / picture) as drawn:
        assert min(drawn.size) > 200
    assert set(home.rglob("*.png")) == {home / picture}, "nothing is drawn elsewhere"
    assert str(home) not in str(row)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("epsilon=0", "Invalid epsilon=.*number > 0"),
        ("epsilon=-8", "Invalid epsilon=.*number > 0"),
        ("k=99999", "expected 1 to 2304"),
        ("target=7", "class 7.*0 to 6"),
        ("image_size=8", "Invalid image_size=8.*whole number ≥ 32"),
        ("method=lrp", "one of"),
    ],
)
def test_settings_that_cannot_be(mine, word, said):
    with pytest.raises(MythsError, match=said):
        tried(word)


def test_another_class_than_the_predicted_is_refused(mine):
    (row,) = tried("method=gradient")
    other = (int(row["predicted"]) + 1) % 7
    with pytest.raises(MythsError, match=f"predicts class {row['predicted']}"):
        tried(f"target={other}")


def test_own_data_make_a_profile_of_their_own(mine):
    listed = trials("quick", None, ("my-picture", "my-weights"))
    assert {(t.image, t.weights, t.method) for t in listed} == {
        ("my_picture", "my_weights", m) for m in ("gradient", "integrated-gradients", "deeplift")
    }
    assert all(isinstance(t, AttackUserImages) for t in listed)
    photographs = trials("laptop", None, ("my-weights",))
    assert {t.weights if isinstance(t, EvaluatePretrained) else t.network.weights for t in photographs} == {"my_weights"}
    assert all(t.skip_reason() is None and "imagenet_sample" in t.data for t in photographs)
    with pytest.raises(UsageError, match="weights as well"):
        trials("quick", None, ("my-picture",))


@pytest.mark.parametrize("name", ["squeezenet1_0", "resnet18", "vgg11_bn", "mobilenet_v2", "densenet121"])
def test_architectures_are_told_by_their_tensors(name):
    with torch.device("meta"):
        weights = models.get_model(name, weights=None, num_classes=10).state_dict()
    assert identify(weights) == name
    assert name in ARCHITECTURES
    in_the_order_of_a_file = {key: weights[key] for key in sorted(weights)}  # as safetensors may store them
    assert (identify(in_the_order_of_a_file), classes_of(in_the_order_of_a_file)) == (name, 10)


def test_weights_of_no_known_network_are_refused():
    with pytest.raises(UsageError, match="Unknown architecture of weights"):
        identify(torch.nn.Linear(3, 4).state_dict())


def test_the_catalogs_weights_are_attacked_on_photographs_by_the_papers_schedule(home):
    torch.manual_seed(0)
    state = models.squeezenet1_1(num_classes=5).state_dict()
    prepared.save("squeezenet", {k: v.numpy() for k, v in state.items()}, source="a test", note="", archives={}, root=home / "data")
    loaded, architecture = load("squeezenet", "cpu")
    assert architecture == "squeezenet1_1"
    assert all(torch.equal(v, loaded.network.state_dict()[k]) for k, v in state.items())
    listed = {name: [t for t in trials(name, None, ("squeezenet",)) if isinstance(t, AttackImages)] for name in ("laptop", "overnight")}
    schedules = {name: {(t.method, t.attack, t.n_iterations) for t in attacks} for name, attacks in listed.items()}
    assert schedules["laptop"] == {("gradient", "top-k", 300), ("gradient", "random-walk", 300)}
    assert {(method, attack, 300) for method in ("integrated-gradients", "deeplift") for attack in ("top-k", "random-walk")} < schedules[
        "overnight"
    ]
    assert sum(t.images for t in listed["laptop"] if t.attack == "top-k") == 64
    for attacks in listed.values():
        assert {t.network for t in attacks} == {EvaluatePretrained()}
        assert all(t.k == 1000 and t.beta == 1.0 for t in attacks)  # Keras's softplus, for activations of Caffe's size
    names = {method_name(t) for t in listed["overnight"]}
    assert names == {"gradient", "integrated-gradients", "deeplift", f"grad-cam at {SQUEEZENET_LAYER}"}


@pytest.mark.parametrize("method", ["gradient", "deeplift", "integrated-gradients"])
def test_parts_of_the_photographs_do_not_overlap_and_are_attacked_and_walked_alike(method):
    listed = [t for t in trials("overnight", 1) if isinstance(t, AttackImages) and t.network == EvaluatePretrained() and t.method == method]
    listed = [t for t in listed if t.n_iterations == 300]  # the paper's number of steps
    for attack in ("top-k", "random-walk"):
        parts = sorted((t.first, t.first + t.images) for t in listed if t.attack == attack)
        assert parts[0][0] == 0
        assert all(end == start for (_, end), (start, _) in itertools.pairwise(parts))
        assert parts[-1][1] >= 40


def test_weights_inside_a_checkpoint_and_from_parallel_training(home):
    torch.manual_seed(0)
    network = models.squeezenet1_0(num_classes=3).eval()
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, home / "checkpoint.pt")
    add("checkpoint", home / "checkpoint.pt")
    loaded, architecture = load("checkpoint", "cpu")
    assert architecture == "squeezenet1_0"
    x = torch.rand(1, 3, 64, 64)
    standardized = (x - loaded.standardize.mean) / loaded.standardize.deviation
    torch.testing.assert_close(loaded(x), network(standardized))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(mine, home, value):
    """They predict nothing, and their maps would all be alike."""
    state = torch.load(home / "net.pth", weights_only=True)
    state["features.3.squeeze.bias"][1] = value
    torch.save(state, home / "data/weights/my_weights.pt")
    with pytest.raises(CannotStart, match=r"1 of 16 values of features\.3\.squeeze\.bias are not finite"):
        read("my_weights")
    with pytest.raises(MythsError, match="not finite"):
        tried()


def test_grad_cam_of_the_layer_that_is_named(mine):
    at = {layer: tried("method=grad-cam", f"layer={layer}")[0]["spearman"] for layer in ("features.3", "features.12.expand3x3")}
    assert at["features.3"] != at["features.12.expand3x3"]
    assert tried("method=grad-cam")[0]["spearman"] == at["features.12.expand3x3"]
    with pytest.raises(MythsError, match=r"layer=features\.99.*convolutions are features\.0"):
        tried("method=grad-cam", "layer=features.99")
    with pytest.raises(UsageError, match="only method=grad-cam"):
        tried("method=gradient", "layer=features.3")


class Evil:
    def __reduce__(self):
        return open, ("pwned", "w")


def test_a_pickle_that_wants_to_run_code_is_refused_twice(mine, home):
    """When it is added, and when somebody has put it in the place of what was added."""
    (home / "evil.pt").write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(UsageError, match="contains Python objects in addition to tensors"):
        add("evil", home / "evil.pt")
    (home / "data/weights/my_weights.pt").write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(CannotStart, match="contains Python objects in addition to tensors"):
        read("my_weights")
    assert not (home / "pwned").exists()


def test_unreadable_weights_and_what_is_none(mine, home):
    path = home / "data/weights/my_weights.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CannotStart, match="cannot be read"):
        read("my_weights")
    torch.save([1, 2, 3], path)
    with pytest.raises(CannotStart, match="no plain weights"):
        read("my_weights")
    with pytest.raises(CannotStart, match="not weights"):
        read("my_picture")
    with pytest.raises(CannotStart):
        read("nowhere")


def test_seeds_are_refused_where_the_networks_are_given():
    with pytest.raises(UsageError, match="Omit --seeds"):
        MYTH.trials("laptop", 2, ("squeezenet",))
