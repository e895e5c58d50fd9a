"""Trainings: rates of scalars, mixup, divergence, bad input, and what a user meets with ``myths try``."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from myths.fixup import MYTH
from myths.fixup.network import build
from myths.fixup.trials import TrainFullSchedule, TrainOneEpoch
from myths.fixup.trials.image_training import loss_curve, optimizer
from myths.lab.data import prepared
from myths.lab.errors import CannotStart, MythsError, UsageError
from myths.lab.execution import resources, try_trial
from myths.lab.trial import Context
from myths.lab.vision.training import Hooks, TrainConfig, fit, predict


def ran(trial):
    return trial.run(Context(trial)).rows


def summary(trial):
    return next(row for row in ran(trial) if row["kind"] == "summary")


def digits(**settings):
    given = {"dataset": "digits", "depth": 10, "method": "fixup", "width": 4, "batch_size": 32, "augmentation": "none"}
    return TrainOneEpoch(**{**given, **settings})


# --- the loop ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "share"), [("fixup", 0.1), ("skipinit", 1.0), ("rezero", 1.0)])
def test_scalars_have_a_rate_of_their_own_and_every_parameter_is_trained_once(method, share):
    network = build("resnet", 14, method, 10, 3, 4)
    groups = optimizer(network, 0.2, 0.9, 1e-4).param_groups
    assert [g["lr"] for g in groups] == [0.2, pytest.approx(0.2 * share)]
    scalars = [name for name, p in network.named_parameters() if any(p is q for q in groups[1]["params"])]
    assert scalars == [name for name, _ in network.named_parameters() if name.endswith(("shifts", "scale"))]
    assert sum(len(g["params"]) for g in groups) == len(list(network.parameters()))
    assert not groups[0]["nesterov"]
    assert all(g["weight_decay"] == 1e-4 and g["momentum"] == 0.9 for g in groups)


def test_without_scalars_there_is_one_rate():
    assert len(optimizer(build("resnet", 8, "batch-norm", 10, 1, 4), 0.1, 0.9, 0.0).param_groups) == 1


class Recorder(torch.nn.Module):
    """A linear network that keeps what it sees."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.head = torch.nn.Linear(48, 3)

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return self.head(x.flatten(1))


def test_mixup_mixes_images_and_losses_by_one_share():
    """Against the definition: inputs are λx + (1−λ)x', and the loss the same mixture of the two labels' losses."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (8, 3, 4, 4), generator=generator).to(torch.uint8)
    y = torch.randint(0, 3, (8,), generator=generator)
    torch.manual_seed(0)
    network, batches = Recorder(), []
    config = TrainConfig(epochs=6, batch_size=8, learning_rate=1e-9, schedule="constant", augmentation="none", mixup=1.0)
    order, augmentation = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    fit(network, x, y, config, order=order, augmentation=augmentation, device="cpu", hooks=Hooks(on_batch=batches.append))
    shares = []
    for seen, batch in zip(network.seen, batches, strict=True):
        plain = x[batch.indices].float() / 255
        # The partner and the share are not given out: they are found as the only ones that make what the network saw.
        flat, mixed = plain.flatten(1), seen.flatten(1)
        found = None
        for i in range(8):
            if torch.allclose(mixed[i], flat[i], atol=1e-5):
                continue  # its own partner
            options = []
            for j in set(range(8)) - {i}:
                difference = flat[i] - flat[j]
                share = float((mixed[i] - flat[j]) @ difference / difference.square().sum())
                if (mixed[i] - flat[j] - share * difference).norm() < 1e-4:
                    options.append((j, share))
            ((j, share),) = options
            found = share if found is None else found
            assert share == pytest.approx(found, abs=1e-4)
            logits, labels = batch.logits[i : i + 1], batch.labels
            loss = share * F.cross_entropy(logits, labels[i : i + 1]) + (1 - share) * F.cross_entropy(logits, labels[j : j + 1])
            assert float(batch.losses[i]) == pytest.approx(float(loss), abs=1e-4)
        shares.append(found)
    assert 0 <= min(shares) < max(shares) <= 1
    assert len(set(shares)) == 6


def test_a_training_that_diverges_ends_soon_and_is_a_result():
    lost = summary(digits(method="he", depth=112, epochs=3.0))
    assert lost["diverged_at"] is not None
    assert lost["steps"] <= lost["diverged_at"] + 11  # of 111
    assert lost["n_correct"] == 0


def test_the_loss_curve_holds_the_means_of_its_pieces():
    trial = digits(train_examples=320)
    rows = ran(trial)
    losses = [row["loss"] for row in rows if row["kind"] == "curve"]
    assert [row["step"] for row in rows if row["kind"] == "curve"] == list(range(1, 11))
    assert np.mean(losses) == pytest.approx(rows[0]["train_loss"], rel=1e-5)
    assert losses[0] == pytest.approx(np.log(10), abs=1e-6)  # the zero function guesses all ten alike
    assert loss_curve(torch.arange(10.0), 4) == [{"kind": "curve", "step": s, "loss": m} for s, m in ((4, 1.5), (8, 5.5), (10, 8.5))]


@pytest.mark.parametrize("method", ["fixup", "batch-norm"])
def test_a_shallow_network_learns_the_digits(method):
    found = summary(digits(method=method, width=8, epochs=6.0, batch_size=16))
    assert found["test_accuracy_percent"] > 40
    assert found["branches"] == 3


def test_accuracy_counts_what_the_network_predicts():
    trial = digits(epochs=2.0, method="batch-norm")
    context = Context(trial)
    examples = trial.examples(context)
    network, done, _ = trial.train(context, examples)
    right = (predict(network, examples.x_test, device="cpu").argmax(1) == examples.y_test).sum()
    assert trial.evaluate(context, network, examples, done)["n_correct"] == int(right)


def test_computing_again_by_want_of_memory_gives_the_same_training(monkeypatch):
    from myths.fixup import memory

    trial = digits(depth=22, train_examples=320)
    plain = summary(trial)
    setup = memory.Setup(architecture="wide-resnet", method="fixup", classes=10, channels=1, image_size=8, width=4, batch=32)
    taken = memory.estimate_memory(setup)
    monkeypatch.setattr(resources, "free_bytes", lambda device: int(taken.with_checkpointing(3) / memory.MAX_FRACTION) + 1)
    again = summary(trial)
    assert plain["blocks_per_segment"] == 0 < again["blocks_per_segment"]
    assert again["train_loss"] == pytest.approx(plain["train_loss"], rel=1e-5)
    assert abs(again["n_correct"] - plain["n_correct"]) <= 3


def test_images_are_averaged_to_the_side_asked_for():
    trial = digits(image_size=4)
    small, full = trial.examples(Context(trial)), digits().examples(Context(digits()))
    expected = full.x_test.float().unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)).round()
    torch.testing.assert_close(small.x_test.float(), expected)


# --- protocols --------------------------------------------------------------------------------------


BOTTLENECK = {"architecture": "bottleneck", "depth": 110}


def test_only_the_published_settings_are_the_paper_s():
    published = TrainOneEpoch(depth=112, method="fixup")
    assert published.protocol == "paper"
    assert TrainOneEpoch(depth=10_000, method="fixup", batch_size=64).protocol == "paper"
    assert TrainOneEpoch(depth=10_000, method="fixup").protocol == "reduced"
    for change in (
        {"image_size": 16},
        {"width": 8},
        {"train_examples": 5000},
        {"learning_rate": 0.3},
        {"epochs": 2.0},
        {"batch_size": 64},
        BOTTLENECK,
    ):
        assert dataclasses.replace(published, **change).protocol == "reduced"
    assert digits().protocol == "stand-in"
    assert TrainFullSchedule(method="fixup").protocol == "paper"
    assert TrainFullSchedule(method="fixup", mixup=1.0).protocol == "paper"
    assert TrainFullSchedule(method="fixup", epochs=8.0).protocol == "reduced"


# --- bad input --------------------------------------------------------------------------------------


def tried(*words):
    settings = ["dataset=digits", "method=fixup", "depth=10", "width=4", *words]
    return try_trial.run(MYTH, "TrainOneEpoch", settings, "cpu", Path("nowhere")).rows


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("depth=111", r"Invalid depth=111: a wide-resnet has 6·n \+ 4 layers. Nearest possible depths: 106 and 112"),
        ("depth=3", "Nearest possible depths: 10"),
        ("learning_rate=0", "Invalid learning_rate=0: expected a number > 0"),
        ("learning_rate=-0.1", "> 0"),
        ("learning_rate=nan", "> 0"),
        ("batch_size=1", "Invalid batch_size=1: expected a whole number ≥ 2"),
        ("batch_size=1198", "Invalid batch_size=1198: the training set has 1197 examples"),
        ("train_examples=5000", "Invalid train_examples=5000: digits has 1197 training examples"),
        ("image_size=20", "Invalid image_size=20: the images of digits have 8 pixels per side"),
        ("epochs=0", "Invalid epochs=0: expected a number > 0"),
        ("momentum=-1", "Invalid momentum=-1: expected a number ≥ 0 and < 1"),
        ("width=0", "Invalid width=0: expected a whole number ≥ 1"),
        ("method=kaiming", "Invalid method=kaiming: expected one of he"),
        ("architecture=vgg", "Invalid architecture=vgg"),
        ("dataset=nothing", "nothing"),
    ],
)
def test_a_mistake_is_named(word, message):
    with pytest.raises(MythsError, match=message):
        tried(word)


def test_a_network_too_large_for_the_memory_is_refused_before_it_is_built(monkeypatch):
    monkeypatch.setattr("myths.lab.execution.resources.free_bytes", lambda device: 10_000_000)
    monkeypatch.setattr("myths.fixup.network.ResidualNetwork.forward", ResidualForward())
    with pytest.raises(MythsError, match=r"depth=10000 with batch_size=128 needs about .* GB, .* Use depth=\d+ or"):
        tried("depth=10000", "batch_size=128")


class ResidualForward:
    """Stands for the forward pass: of shallow networks only."""

    def __get__(self, network, _):
        assert len(network.blocks) <= 6
        return lambda x: network.head(network.features(x))


def test_a_set_without_a_training_part_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path))
    prepared.save(
        "tests_only",
        {"x_test": np.zeros((4, 8, 8), np.uint8), "y_test": np.arange(4, dtype=np.uint8)},
        source="test",
        note="no training part",
    )
    trial = digits(dataset="tests_only")
    with pytest.raises(UsageError, match="no training split"):
        trial.examples(Context(trial))


def test_images_too_small_for_three_stages_are_refused():
    with pytest.raises(CannotStart, match="at least 4"):
        ran(digits(image_size=2))


def test_try_gives_a_row_of_the_training_and_its_curve():
    rows = tried("train_examples=320", "learning_rate=0.05")
    assert rows[0]["kind"] == "summary"
    assert {"test_accuracy_percent", "diverged_at", "seconds_per_step", "blocks_per_segment"} <= set(rows[0])
