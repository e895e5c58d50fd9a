"""Shares of the drop: by counting images one by one, by the reference table, and by how often the intervals hold the truth."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import stats

from myths.cifar10_1 import count_excluded_images, drop_explanations
from myths.cifar10_1.published import reference_table
from myths.lab.errors import UsageError
from myths.lab.estimate import exact


def counts_of(correct):
    return np.bincount(correct.sum(0), minlength=len(correct) + 1)


def test_the_share_of_excluded_images_is_that_of_means_over_images():
    rng = np.random.default_rng(0)
    original, new = rng.random((5, 400)) < rng.random(400), rng.random((5, 300)) < 0.4
    excluded = rng.random(400) < 0.2
    found = drop_explanations.share_of_excluded(
        counts_of(original[:, excluded]), counts_of(original[:, ~excluded]), counts_of(new), np.random.default_rng(1)
    )
    expected = (original.mean() - original[:, ~excluded].mean()) / (original.mean() - new.mean())
    assert found.value == pytest.approx(expected)
    shares = []
    for _ in range(2000):  # the same resamples, image by image
        i, j = rng.integers(400, size=400), rng.integers(300, size=300)
        full, kept = original[:, i].mean(), original[:, i][:, ~excluded[i]].mean()
        shares.append((full - kept) / (full - new[:, j].mean()))
    low, high = np.quantile(shares, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_the_mean_drop_is_that_of_means_over_images():
    """Oracle: Welch's interval of the fractions of models that classify each image correctly."""
    rng = np.random.default_rng(0)
    original, new = rng.random((5, 900)) < rng.random(900), rng.random((5, 400)) < 0.6 * rng.random(400)
    found = drop_explanations.mean_drop(counts_of(original), counts_of(new), np.random.default_rng(1))
    welch = stats.ttest_ind(original.mean(0), new.mean(0), equal_var=False).confidence_interval()
    assert found.value == pytest.approx(original.mean() - new.mean())
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high), abs=0.05 * (welch.high - welch.low))
    assert (found.source_of_variation, found.n) == ("test examples", 400)


@pytest.mark.parametrize(("reason", "images"), [("near-duplicate", 286), ("label error", 54)])
def test_the_counts_add_up_to_the_reference_table(reason, images):
    excluded, kept, new = drop_explanations.excluded_counts(reason)
    assert excluded.sum() == images
    totals = {"original": excluded + kept, "v4": new}
    for test_set, counts in totals.items():
        rows = [row for row in reference_table() if row["test_set"] == test_set]
        assert counts.sum() == rows[0]["n"]
        assert counts @ np.arange(31) == sum(row["correct"] for row in rows)


def test_counts_are_written_by_image(tmp_path, monkeypatch, capsys):
    labels = np.array([0, 1, 2, 3], dtype=np.uint8)
    predicted = np.array([[0, 1, 2, 9], [0, 9, 2, 9]], dtype=np.uint8)
    from myths.cifar10_1.published import Predictions

    monkeypatch.setattr(count_excluded_images, "predictions", lambda name, test_set: Predictions(("a", "b"), predicted, labels))
    (tmp_path / "d.csv").write_text("TestID,TrainID,Distance,Judgment\n2,7,0.1,1\n2,8,0.2,1\n")
    votes = [{"id": i, "mturk": {"given": given, "guessed": 5 - given, "neither": 0, "both": 0}} for i, given in ((1, 2), (3, 3))]
    (tmp_path / "v.json").write_text(json.dumps(votes))
    count_excluded_images.main(tmp_path / "d.csv", tmp_path / "v.json")
    rows = [tuple(row.values()) for row in csv.DictReader(capsys.readouterr().out.splitlines())]
    assert ("near-duplicate", "original", "1", "2", "1") in rows
    assert ("label error", "original", "1", "1", "1") in rows
    assert sum(int(row[-1]) for row in rows) == 2 * (4 + 4)


@pytest.mark.parametrize("content", [None, "", "hi\n", "TestID,TrainID\nx,7\n", "[1, 2", "[1]", '[{"id": 1}]', "{}{"])
def test_another_file_of_excluded_images_is_refused_with_its_name(tmp_path, content):
    file = tmp_path / "file"
    if content is not None:
        file.write_text(content)
    for read, expected in ((count_excluded_images.near_duplicates, "cifair"), (count_excluded_images.label_errors, "label-errors")):
        with pytest.raises(UsageError, match=f"file: expected .*{expected}"):
            read(file)


def test_excluded_images_are_counted_from_two_files_only():
    for files in ((), ("a.csv",), ("a.csv", "b.json")):
        command = [sys.executable, "-m", "myths.cifar10_1.count_excluded_images", *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("myths: ")


def test_selection_among_equal_models_has_the_optimism_of_the_maximum():
    """For k models that err independently, σ·E[max of k normals] on halves, with σ² = p(1 − p)/n on each half."""
    k, n, p = 10, 1000, 0.8
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(40):
        original, new = torch.rand(k, n, generator=generator) < p, torch.rand(k, n, generator=generator) < p - 0.2
        drop = float(original.double().mean() - new.double().mean())
        found.append(drop * drop_explanations.share_of_selection(original, new, 10, generator).value)
    of_a_half = np.sqrt(p * (1 - p) / (n / 2))
    largest = np.random.default_rng(0).normal(size=(100_000, k)).max(1).mean()
    assert np.mean(found) == pytest.approx(of_a_half * largest, rel=0.1)


@pytest.mark.parametrize("splits", [1, 250, 400, 500, 501])
def test_the_optimism_is_over_as_many_splits_as_asked(splits, monkeypatch):
    def once(share, n, m, generator):
        return exact(share(torch.arange(n), torch.arange(m)), n)

    drawn = []
    half_splits = drop_explanations.adaptive_overfitting.random_half_splits
    monkeypatch.setattr(
        drop_explanations.adaptive_overfitting, "random_half_splits", lambda n, *rest: drawn.append(n) or half_splits(n, *rest)
    )
    monkeypatch.setattr(drop_explanations, "delete_block_jackknife", once)
    generator = torch.Generator().manual_seed(0)
    original, new = torch.rand(3, 40, generator=generator) < 0.9, torch.rand(3, 40, generator=generator) < 0.5
    drop_explanations.share_of_selection(original, new, splits, generator)
    assert sum(drawn) == splits
    assert max(drawn) <= drop_explanations.CHUNK


def test_the_jackknife_of_a_mean_is_the_t_interval_of_block_means():
    x = torch.randn(400, generator=torch.Generator().manual_seed(0)).double()
    found = drop_explanations.delete_block_jackknife(lambda i, j: float(x[i].mean()), 400, 200, torch.Generator().manual_seed(1))
    block = torch.randperm(400, generator=torch.Generator().manual_seed(1)) % 20
    means = [float(x[block == b].mean()) for b in range(20)]
    interval = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.value == pytest.approx(float(x.mean()))


def test_the_jackknife_covers_a_ratio_of_differences():
    held, draws = 0, 300
    generator = torch.Generator().manual_seed(0)
    for _ in range(draws):
        x, y = (torch.rand(size, generator=generator) < p for size, p in ((1000, 0.9), (500, 0.8)))
        found = drop_explanations.delete_block_jackknife(
            lambda i, j, x=x, y=y: float(0.01 / (x[i].double().mean() - y[j].double().mean())), 1000, 500, generator
        )
        held += found.low <= 0.1 <= found.high
    assert 0.92 <= held / draws <= 0.98
