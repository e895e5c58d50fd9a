"""Count how many published models classify near-duplicates and mislabeled test images correctly, and print the counts as CSV.

    python -m myths.cifar10_1.count_excluded_images duplicates_cifar10.csv cifar10_mturk.json > excluded_images.csv

The first file lists the CIFAR-10 test images with a near-duplicate in the training set (Barz & Denzler 2020;
``meta/duplicates_cifar10.csv`` of github.com/cvjena/cifair). The second contains the votes of five annotators on 275 test labels
(Northcutt, Athalye & Mueller 2021; ``mturk/cifar10_mturk.json`` of github.com/cleanlab/label-errors). Download both by hand; this suite
contains only the counts. The dataset ``cifar10_1_predictions`` is required.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np

from myths.cifar10_1.published import PREDICTIONS, predictions
from myths.lab.errors import MythsError, UsageError

MIN_VOTES = 3
"""Minimum number of annotators, of five, who gave the label for it to be kept."""


DUPLICATES = "duplicates_cifar10.csv of cvjena/cifair"
VOTES = "cifar10_mturk.json of cleanlab/label-errors"


def _not(expected: str, file: Path, error: Exception) -> UsageError:
    return UsageError(f"Invalid {file}: expected {expected} ({type(error).__name__}: {error})")


def near_duplicates(file: Path) -> list[int]:
    """Return the indices of test images that have a near-duplicate in the training set.

    Raises:
        UsageError: The file cannot be read, or is another file.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            rows = csv.reader(lines)
            column = next(rows, []).index("TestID")
            return sorted({int(row[column]) for row in rows})
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise _not(DUPLICATES, file, error) from error


def label_errors(file: Path) -> list[int]:
    """Return the indices of test images whose label fewer than ``MIN_VOTES`` annotators gave.

    Raises:
        UsageError: The file cannot be read, or is another file.
    """
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        return sorted(int(entry["id"]) for entry in entries if entry["mturk"]["given"] < MIN_VOTES)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _not(VOTES, file, error) from error


def main(duplicates: Path, votes: Path) -> None:
    """Print one row per group of images and number of models that classify an image correctly.

    Raises:
        UsageError: A file cannot be read, or is another file.
        CannotStart: The dataset is missing.
    """
    reasons = (("near-duplicate", near_duplicates(duplicates)), ("label error", label_errors(votes)))
    original, new = predictions(PREDICTIONS, "original"), predictions(PREDICTIONS, "v4")
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["reason", "test_set", "excluded", "n_models_correct", "n_images"])
    for reason, indices in reasons:
        excluded = np.isin(np.arange(len(original.labels)), indices)
        groups = [("original", True, original.correct[:, excluded]), ("original", False, original.correct[:, ~excluded])]
        for test_set, is_excluded, correct in [*groups, ("v4", False, new.correct)]:
            counts = np.bincount(correct.sum(0), minlength=len(correct) + 1)
            out.writerows([reason, test_set, int(is_excluded), k, n] for k, n in enumerate(counts.tolist()) if n)


if __name__ == "__main__":
    try:
        if len(sys.argv) != 3:
            raise UsageError(f"Expected two files, but got {len(sys.argv) - 1}: duplicates_cifar10.csv cifar10_mturk.json")
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except MythsError as error:
        print(f"myths: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
