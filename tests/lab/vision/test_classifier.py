"""TrainClassifier: repeatable, learns, and its weights are the whole network."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from myths.lab.trial import Context, Outcome
from myths.lab.vision.classifier import RELATIVE_COST, TrainClassifier, load_classifier
from myths.lab.vision.networks import NETWORKS
from myths.lab.vision.training import accuracy, predict

images = pytest.importorskip("myths.lab.data.images")


@pytest.fixture(scope="module")
def tiny():
    return TrainClassifier.test_instance()


@pytest.fixture(scope="module")
def outcome(tiny):
    return tiny.run(Context(tiny))


def without_times(outcome):
    return [{k: v for k, v in row.items() if k not in TrainClassifier.nondeterministic_columns} for row in outcome.rows]


def test_importing_it_does_not_import_torch():
    code = "import sys, myths.lab.vision.classifier; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_same_seed_same_result_other_seed_another(tiny, outcome):
    again = tiny.run(Context(tiny))
    assert without_times(again) == without_times(outcome)
    assert all(np.array_equal(again.arrays[name], outcome.arrays[name]) for name in outcome.arrays)
    other = replace(tiny, seed=1)
    assert without_times(other.run(Context(other))) != without_times(outcome)


def test_the_row_says_what_happened(outcome):
    (row,) = outcome.rows
    assert row["steps"] == 8
    assert row["n_train"] == 256
    assert row["diverged_at"] is None
    assert 0 <= row["test_accuracy_percent"] <= 100
    assert TrainClassifier.nondeterministic_columns <= set(row)


def test_the_weights_are_the_whole_network(tiny, outcome, tmp_path):
    np.savez(tmp_path / "arrays.npz", **outcome.arrays)
    with np.load(tmp_path / "arrays.npz") as stored:
        network = load_classifier(tiny, Outcome(rows=[], arrays=dict(stored)), "cpu")
    assert not network.training
    test = images.image_set("shapes", "cpu")
    logits = predict(network, test.x_test, device="cpu", precision=outcome.rows[0]["precision"])
    assert 100 * accuracy(logits, test.y_test) == outcome.rows[0]["test_accuracy_percent"]
    again = load_classifier(tiny, outcome, "cpu")
    assert torch.equal(predict(again, test.x_test, device="cpu", precision=outcome.rows[0]["precision"]), logits)


def test_an_outcome_without_weights_is_named(tiny):
    with pytest.raises(LookupError, match="no weights"):
        load_classifier(tiny, Outcome(rows=[]), "cpu")


def test_learns_far_above_chance():
    trial = TrainClassifier(dataset="digits", network="small_cnn", epochs=10.0, batch_size=64, augmentation="none")
    (row,) = trial.run(Context(trial)).rows
    assert row["test_accuracy_percent"] > 90


def test_settings_say_where_they_stand():
    five = TrainClassifier(network="small_cnn", epochs=5)
    assert five.protocol == "reduced"
    assert replace(five, dataset="digits").protocol == "stand-in"
    assert replace(five, dataset="cifar100").data == ("cifar100",)
    assert replace(five, epochs=10).relative_cost == 2 * five.relative_cost
    assert replace(five, train_examples=25_000).relative_cost == five.relative_cost / 2


def test_every_network_has_a_cost():
    default = 100.0
    costs = {name: TrainClassifier(network=name, epochs=0.02).relative_cost for name in NETWORKS}
    assert default not in costs.values()


def test_every_network_has_a_cost_and_is_a_name_that_a_trial_takes():
    from myths.lab.vision.networks import NETWORKS

    assert set(RELATIVE_COST) == set(NETWORKS)
