"""Tables for a paper: rounding, bold by declaration, and text that LaTeX and Markdown take."""

import csv
import io
import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myths import suite
from myths.lab.errors import UsageError
from myths.lab.report.paper_table import heading, interval_columns, paper_table, rounded
from myths.table import PaperTable
from tests.lab.report import coin


@pytest.mark.parametrize(
    ("numbers", "printed"),
    [
        ((91.23456, 90.0, 92.5), "91.2 [90.0, 92.5]"),
        ((127.3, 111.2, 145.4), "127 [111, 145]"),
        ((12_345.0, 10_600.0, 14_000.0), "12300 [10600, 14000]"),
        ((0.0123456, 0.0119, 0.0127), "0.01235 [0.01190, 0.01270]"),
        ((-0.04, -0.6, 0.5), "−0.04 [−0.60, 0.50]"),
        ((-0.001, -0.6, 0.5), "0.00 [−0.60, 0.50]"),
        ((5.0, 4.0004, 5.9996), "5.0 [4.0, 6.0]"),  # half of the width is 1.0, not 0.9996
        ((3.14159265, math.nan, math.nan), "3.142"),
        ((2.0, 2.0, 2.0), "2"),
        ((1e-12, 1e-12, 1e-12), "1e−12"),
        ((3.0, 1.0, math.inf), "3"),
        ((math.nan, 1.0, 2.0), "–"),
        ((-math.inf, math.nan, math.nan), "−∞"),
    ],
)
def test_a_number_is_rounded_to_two_digits_of_its_uncertainty(numbers, printed):
    assert rounded(*numbers) == printed


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_rounding_moves_no_end_by_more_than_a_twentieth_of_the_uncertainty(value, half):
    said = rounded(value, value - half, value + half).replace("−", "-").replace("[", "").replace("]", "").replace(",", "").split()
    assert [float(word) for word in said] == pytest.approx([value, value - half, value + half], abs=0.0501 * half)


TABLE = pd.DataFrame({
    "model": ["a_b", "c & d", "e"],
    "test_set": ["v4", "v4", "v6"],
    "accuracy_percent": [91.04, 91.0401, 85.0],
    "accuracy_low_percent": [90.0, 90.0, 84.0],
    "accuracy_high_percent": [92.0, 92.0, 86.0],
    "seconds": [3.0, 1.0, 2.0],
    "n": [10_000, 10_000, 2021],
})  # fmt: skip


def test_the_best_is_bold_by_declaration_and_only_there():
    better = {"accuracy_percent": "higher", "seconds": "lower"}
    printed = paper_table(TABLE.assign(device="cpu"), ["model", "accuracy_percent", "seconds", "n"], better, within=["device"])
    assert printed.best == {(0, 1), (1, 1), (1, 2)}  # two that are printed alike are both the best; nobody said of n which is better
    assert r"| c &amp; d | **91.0 \[90.0, 92.0\]** | **1** | 10000 |" in printed.markdown()
    within = paper_table(TABLE, ["model", "seconds"], {"seconds": "lower"}, within=["test_set"])
    assert within.best == {(1, 1)}  # a group of one has no best
    assert paper_table(TABLE, ["model", "seconds"], {"seconds": "lower"}).best == frozenset()  # nobody said what is comparable


def test_only_rows_that_were_measured_on_the_same_are_compared(tmp_path):
    """An accuracy on another test set, for another protocol or at another temperature is no better and no worse."""
    measured_on = ["dataset", "test_set", "protocol", "device", "temperature"]
    lines = [("mint", "old", "paper", "cpu", 20), ("mint", "new", "paper", "cpu", 20), ("mint", "old", "paper", "cpu", 90)]
    lines += [("bank", "old", "paper", "cpu", 20), ("mint", "old", "reduced", "cpu", 20), ("mint", "old", "paper", "cuda", 20)]
    table = pd.DataFrame(lines, columns=measured_on).assign(trials="0a" * 6)
    table = pd.concat([table.assign(model=model, percent=percent + 0.5 * table.index) for model, percent in (("a", 80.0), ("b", 70.0))])
    myth = replace(coin.COIN, tables={"accuracies": lambda results: table}, better={"percent": "higher"}, conditions=("temperature",))
    myth = replace(myth, claims=(), figures={})
    coin.make_run(tmp_path / "run")
    shown = PaperTable(myth, "accuracies", "run", results=tmp_path)
    printed = shown.written([*measured_on, "model", "percent"], [], form="markdown")
    rows = [line.split(" | ") for line in printed.splitlines() if "| mint" in line or "| bank" in line]
    assert [row[-2] for row in rows if "**" in row[-1]] == ["a"] * len(lines)
    together = shown.written(["percent"], ["dataset"], form="markdown")
    assert together.count("**") == 4  # as the user says: one best in each of the two datasets
    bare = replace(myth, tables={"accuracies": lambda results: table[["model", "percent", "trials"]]})
    assert "**" not in PaperTable(bare, "accuracies", "run", results=tmp_path).written([], [], form="markdown")


def test_columns_keep_their_order_ends_of_intervals_are_printed_with_their_number_and_trials_where_asked_for():
    assert paper_table(TABLE.assign(trials="0a" * 6), [], {}).head == ("model", "test set", "accuracy (%)", "seconds", "n")
    assert paper_table(TABLE.assign(trials="0a" * 6), ["trials"], {}).head == ("trials",)
    assert [row[0] for row in csv.reader(io.StringIO(paper_table(TABLE, ["n", "model"], {}).csv()))] == ["n", "10000", "10000", "2021"]
    assert interval_columns(TABLE, "seconds") is None
    assert heading("gap_pp") == "gap (points)"


def test_an_unknown_column_is_named():
    with pytest.raises(UsageError, match=r"Unknown column 'acuracy'. Available: model, test_set"):
        paper_table(TABLE, ["acuracy"], {})


@pytest.mark.parametrize(("where", "wrong"), [("colour=red", "unknown column 'colour'"), ("coin", "expected COLUMN=VALUE")])
def test_a_filter_names_what_is_wrong_with_it(tmp_path, where, wrong):
    run = coin.make_run(tmp_path / "cpu-laptop")
    with pytest.raises(UsageError, match=rf"^Invalid --where '{where}': {wrong}\. Columns: .*heads"):
        PaperTable(coin.COIN, "tosses", run.name, (where,), results=tmp_path).written([], [], form="csv")


def test_latex_is_a_whole_table_with_booktabs(tmp_path):
    table = TABLE.assign(device="cpu")
    text = paper_table(table, ["model", "accuracy_percent"], {"accuracy_percent": "higher"}, ["device"]).latex("50 % of_it", "tab:x")
    for part in (r"\caption{50 \% of\_it}", r"\label{tab:x}", r"\begin{tabular}{lr}", r"model & accuracy (\%) \\", r"\toprule"):
        assert part in text
    assert r"c \& d & \textbf{91.0 {[}90.0, 92.0]} \\" in text
    if shutil.which("pdflatex"):
        document = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + text + r"\end{document}"
        (tmp_path / "x.tex").write_text(document, encoding="utf-8")
        done = subprocess.run(["pdflatex", "-halt-on-error", "x.tex"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]


UNPUBLISHED = {
    "lightweight-conv": {"accuracy_percent", "bits_per_byte", "gap", "perplexity"},
    "saliency": {"change"},
}  # fmt: skip
"""Columns of tables whose trials no published run has."""


@pytest.mark.parametrize("myth", suite.OURS, ids=lambda myth: myth.name)
def test_what_is_declared_better_are_columns_of_the_myth(myth):
    files = list(Path(suite.PUBLISHED).glob(f"*/{myth.folder}/*.csv"))
    if not files:
        pytest.skip("no run of this myth is published")
    columns = {column for file in files for column in file.read_text(encoding="utf-8").partition("\n")[0].split(",")}
    columns |= UNPUBLISHED.get(myth.name, set())
    assert set(myth.better) <= columns
    assert set(myth.conditions) <= columns
    assert myth.better
    assert myth.conditions


def test_quartiles_are_printed_with_the_number_that_they_belong_to():
    names = ["seconds", "q25_seconds", "q75_seconds", "closed_form_seconds", "closed_form_q25_seconds", "closed_form_q75_seconds"]
    table = pd.DataFrame([range(9)], columns=[*names, "ratio", "ratio_q25", "ratio_q75"])
    assert interval_columns(table, "seconds") == ("q25_seconds", "q75_seconds")
    assert interval_columns(table, "closed_form_seconds") == ("closed_form_q25_seconds", "closed_form_q75_seconds")
    assert interval_columns(table, "ratio") == ("ratio_q25", "ratio_q75")
