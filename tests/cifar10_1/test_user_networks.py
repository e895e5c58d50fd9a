"""A model of the user's from its weights: the predictions of torch itself, and pixels that are normalized otherwise."""

import json

import numpy as np
import pytest
import torch
from torchvision import models

from myths.cifar10_1 import MYTH, profiles, published, tables, user_networks, user_summary
from myths.cifar10_1.trials import CompareUserModel, PredictClasses, PublishedAccuracy
from myths.lab.data import prepared
from myths.lab.data.user_data import add
from myths.lab.data.weights import NORMALIZATION_NAMES
from myths.lab.errors import CannotStart, UsageError
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Context, Outcome
from myths.lab.vision import networks

BY_HAND = {
    "none": lambda x: x / 255,
    "half": lambda x: x / 127.5 - 1,
    "bytes": lambda x: x,
    "imagenet": lambda x: (x / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225]),
    "cifar10": lambda x: (x / 255 - torch.tensor([0.4914, 0.4822, 0.4465])) / torch.tensor([0.2470, 0.2435, 0.2616]),
}
"""What a user would write, for pixels 0 to 255 and channels last."""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Only what a test makes is there: images of all three test sets, as many as the procedural models predict."""
    monkeypatch.setattr(prepared, "roots", lambda: (tmp_path,))
    rng = np.random.default_rng(0)
    for test_set, name in user_networks.IMAGES.items():
        labels = published.predictions(published.PROCEDURAL, test_set).labels
        shade = rng.integers(0, 256, (len(labels), 1, 1, 3))
        x = np.clip(shade + rng.normal(0, 40, (len(labels), 32, 32, 3)), 0, 255).astype(np.uint8)
        write_images(name, x, labels)
    return tmp_path


def write_images(name, x, labels):
    prepared.save(name, {"x_test": x, "y_test": labels, "x_train": x[:20], "y_train": labels[:20]}, source="test", note="")


def shufflenet(seed=0):
    """A small network of torchvision whose predictions spread over the classes and depend on the scale of the pixels."""
    torch.manual_seed(seed)
    network = models.shufflenet_v2_x0_5(num_classes=10)
    network.train()
    with torch.no_grad():
        for _ in range(8):  # running statistics, without which deep layers hardly respond
            network(torch.randn(64, 1, 1, 1) + torch.randn(64, 3, 1, 1) + torch.randn(64, 3, 32, 32))
        logits = network.eval()(torch.randn(400, 3, 1, 1) + torch.randn(400, 3, 32, 32))
        network.fc.weight /= logits.std(0)[:, None]
        network.fc.bias.copy_((network.fc.bias - logits.mean(0)) / logits.std(0))
    return network


def test_the_model_predicts_what_torch_predicts_on_every_test_set(home):
    network = shufflenet()
    torch.save({"state_dict": {f"module.{key}": value for key, value in network.state_dict().items()}}, home / "net.pth")
    add("mine", home / "net.pth", {"normalization": "imagenet-bgr"})
    accuracy, comparison = MYTH.trials("quick", None, ("mine",))
    assert isinstance(accuracy, PublishedAccuracy)
    trial = comparison.model
    assert (trial.normalization, trial.test_sets) == ("imagenet-bgr", ("original", "v4", "v6"))
    assert set(trial.data) == {"mine", *user_networks.IMAGES.values()}
    outcome = trial.run(Context(trial))
    for test_set, name in user_networks.IMAGES.items():
        x = torch.from_numpy(prepared.load(name)["x_test"].copy()).float()
        with torch.no_grad():
            expected = network(BY_HAND["imagenet"](x).flip(-1).permute(0, 3, 1, 2)).argmax(1).numpy()
        assert (outcome.arrays[test_set] == expected).mean() >= 0.99  # ties of rounding
        assert len(set(expected)) >= 5
    beside = CompareUserModel(predictions="mine", model=trial, published=published.PROCEDURAL)
    rows = beside.run(Context(beside, outcomes=lambda _: outcome)).rows
    correct = {row["test_set"]: row["correct"] for row in rows if row["kind"] == "test set"}
    for test_set in user_networks.IMAGES:
        labels = published.predictions(published.PROCEDURAL, test_set).labels
        assert correct[test_set] == (outcome.arrays[test_set] == labels).sum()


@pytest.mark.parametrize("truth", ["imagenet", "bytes", "cifar10-bgr"])
def test_a_normalization_that_is_significantly_better_is_said(home, truth):
    """The labels are what the network predicts from pixels as it knows them, so that this normalization is always correct."""
    network = shufflenet()
    x = prepared.load("cifar10")["x_test"]
    pixels = BY_HAND[truth.removesuffix("-bgr")](torch.from_numpy(x.copy()).float())
    with torch.no_grad():
        labels = network((pixels.flip(-1) if truth.endswith("-bgr") else pixels).permute(0, 3, 1, 2)).argmax(1).numpy().astype(np.uint8)
    write_images("cifar10", x, labels)
    torch.save(network.state_dict(), home / "net.pt")
    add("mine", home / "net.pt", {"normalization": "half"})
    trial = profiles.predict_with("mine")
    found = Results([TrialRecord(trial, "ok", trial.run(Context(trial)).rows)])
    table = tables.normalizations(found)
    assert sorted(table["normalization"]) == sorted(NORMALIZATION_NAMES)
    assert table["normalization"].iloc[0] == "half"
    assert table.set_index("normalization").loc[truth, "accuracy_percent"] >= 99
    assert table.set_index("normalization").loc[truth, "significantly_better"]
    said = user_summary.summarize_user_data({name: make(found) for name, make in MYTH.tables.items()})
    assert "mine is a shufflenet_v2_x0_5, pixels normalized with half" in said
    assert f"check the normalization: with {truth} " in said
    assert f"myths data add mine FILE normalization={truth}" in said
    add("told", home / "net.pt", {"normalization": truth})
    again = profiles.predict_with("told")
    found = Results([TrialRecord(again, "ok", again.run(Context(again)).rows)])
    assert not tables.normalizations(found)["significantly_better"].any()
    assert "none of 9 others is significantly better on the first 400 images" in user_summary.summarize_user_data(
        {n: m(found) for n, m in MYTH.tables.items()}
    )


@pytest.mark.parametrize("name", ["small_cnn", "resnet20", "fast_narrow", "wide_resnet_10_2", "mnist_cnn"])
def test_networks_of_the_suite_are_recognized(home, name):
    torch.manual_seed(1)
    network = networks.build(name, 10, 3, 32).eval()
    torch.save(network.state_dict(), home / "net.pt")
    add("mine", home / "net.pt")
    found, architecture = user_networks.load("mine")
    assert architecture == name
    assert profiles.predict_with("mine").normalization == "none"  # they standardize pixels themselves
    x = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(found(x), network(x))


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_networks_of_torchvision_expect_normalized_pixels_even_if_the_suite_has_a_network_of_the_same_name(home, name):
    network = models.get_model(name, num_classes=10)
    torch.save(network.state_dict(), home / "net.pt")
    add("mine", home / "net.pt")
    assert type(user_networks.load("mine")[0]) is type(network)
    assert profiles.predict_with("mine").normalization == "cifar10"


def test_what_cannot_be_placed_is_refused_with_the_reason(home):
    files = {
        "imagenet_classes": models.squeezenet1_1().state_dict(),
        "unknown": {"a.weight": torch.zeros(3, 3)},
        "too_large": models.alexnet(num_classes=10).state_dict(),
    }
    for name, tensors in files.items():
        torch.save(tensors, home / f"{name}.pth")
        add(name, home / f"{name}.pth")
    for name, said in (
        ("imagenet_classes", "squeezenet1_1 of 1,000 classes; CIFAR-10 has 10"),
        ("unknown", "add its predictions instead"),
        ("too_large", "cannot take images of 32 x 32 pixels"),
    ):
        with pytest.raises(UsageError, match=said):
            MYTH.trials("quick", None, (name,))
    refused = (({"normalization": "imagnet"}, "expected one of none, none-bgr"), ({"source": "de"}, "only setting of weights is"))
    for settings, said in refused:
        with pytest.raises(UsageError, match=said):
            add("other", home / "unknown.pth", settings)
    (home / "p.json").write_text(json.dumps({"original": [0] * 10_000}))
    with pytest.raises(UsageError, match=r"only parallel texts .* and weights .* have settings"):
        add("other", home / "p.json", {"normalization": "none"})


def test_images_in_another_order_than_the_published_labels_are_refused(home):
    labels = prepared.load("cifar10")["y_test"]
    arrays = {"original": labels, "labels_original": labels[::-1]}
    comparison = CompareUserModel(predictions="mine", model=PredictClasses(weights="mine"), published=published.PROCEDURAL)
    with pytest.raises(CannotStart, match="in another order: run myths data verify cifar10"):
        comparison.run(Context(comparison, outcomes=lambda _: Outcome(rows=[], arrays=arrays)))
