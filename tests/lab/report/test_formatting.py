"""Numbers in words: as many digits as the interval supports, and none of the paper's lost."""

import math

import pandas as pd
import pytest

from myths.lab.criterion import at_least
from myths.lab.estimate import Estimate, exact
from myths.lab.report import formatting
from myths.lab.report.tables import MAX_ROWS, data_table
from tests.lab.report import coin


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (2021.0, None, "2021"),
        (12345.0, None, "12,345"),
        (-0.5, None, "−0.5"),
        (0.978241, None, "0.978241"),
        (8.1149, 2, "8.11"),
        (1234567.8, 0, "1,234,568"),
        (1.2e-9, 6, "1e−09"),
        (0.0, 3, "0.000"),
        (math.inf, 2, "∞"),
        (-math.inf, None, "−∞"),
        (math.nan, None, "–"),
    ],
)
def test_numbers(value, decimals, text):
    assert formatting.format_number(value, decimals) == text


@pytest.mark.parametrize(("low", "text"), [(-0.5, "≥ −0.5 top-5"), (1e-10, "≥ 1e−10 top-5")])
def test_a_criterion_has_real_minus_signs(low, text):
    assert formatting.format_criterion(coin.claim("C", "ducat", at_least(low), unit="top-5").criterion_text) == text


def test_a_number_and_its_percent_sign_stay_together():
    assert formatting.no_break_percent("20 % of 5 examples, % of all") == f"20{formatting.SPACE}% of 5 examples, % of all"


def test_digits_follow_the_interval():
    estimate = Estimate(8.11493, 7.0213, 9.2044, "seeds", 5)
    assert formatting.value_with_unit(estimate, "pp") == f"8.1{formatting.SPACE}pp"
    assert formatting.format_interval(estimate) == "[7.0, 9.2]"
    assert formatting.format_source_of_variation(estimate) == "over seeds, n = 5"


def test_an_exact_number_has_no_interval():
    assert formatting.format_interval(exact(24.0, 435)) == ""
    assert formatting.value_with_unit(exact(24.0, 435), "") == "24"
    assert formatting.format_source_of_variation(exact(24.0, 1435)) == "exact, n = 1,435"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, f"50.8{formatting.SPACE}% [50.6…51.0]"),
        ({"paper": None}, f"[50.6…51.0]{formatting.SPACE}%"),
        ({"paper_high": None}, f"50.8{formatting.SPACE}% [50.6…]"),
        ({"paper": None, "paper_low": None, "paper_high": None}, "–"),
        ({"paper": 0.97824, "paper_low": None, "paper_high": None, "unit": ""}, "0.97824"),
    ],
)
def test_the_papers_number(given, text):
    assert formatting.format_paper(coin.claim("C", "ducat", coin.above(50.0), **given)) == text


def test_durations():
    assert [formatting.format_duration(s) for s in (3.0, 150.0, 9000.0, 400_000.0)] == [
        f"3{formatting.SPACE}s", f"2.5{formatting.SPACE}min", f"2.5{formatting.SPACE}h", f"4.6{formatting.SPACE}days",
    ]  # fmt: skip


def test_a_table_is_escaped_aligned_and_cut():
    table = pd.DataFrame({"<i>coin</i>": [coin.HOSTILE] * 300, "heads_percent": [50.123456, None, 51.0] * 100, "seed": range(300)})
    text = str(data_table(table, "t"))
    assert "<script" not in text
    assert "<i>" not in text
    assert text.count("<tr") == MAX_ROWS + 1
    assert "50.12" in text
    assert "<style" not in text
    assert ">–</td>" in text


@pytest.mark.parametrize("table", [pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame(index=[1, 2])])
def test_an_empty_table_is_nothing(table):
    assert data_table(table, "t") == ""


def test_columns_of_any_kind_are_shown():
    table = pd.DataFrame(
        {"all none": [None, None], "flags": [True, False], "infinite": [math.inf, 1.5], "lists": ["a", "b"], "zero": [0.0, 0.0]}
    )
    assert str(data_table(table, "t")).count("<td") == 10
