"""Ranges of settings: what they accept, what they say, and that a wrong value never reaches a trial."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myths.lab.errors import UsageError
from myths.lab.execution.try_trial import describe_settings, parse_settings
from myths.lab.setting import NAME, Count, Items, OneOf, Range, Seed, meanings
from myths.lab.trial import Trial, describe_type, from_settings
from tests.lab.report.coin import COIN


@dataclass(frozen=True, kw_only=True)
class Toss(Trial):
    """Toss a coin.

    More of it is nowhere.
    """

    bias: Annotated[float, Range(at_least=0, at_most=1)] = 0.5
    """Probability of heads,
    as the mint gives it."""
    times: Annotated[int, Range(at_least=1, also=(0, "until heads"))] = 0
    coins: Annotated[tuple[Annotated[str, NAME], ...], Items(distinct=True)] = ("ducat",)
    side: Literal["heads", "tails"] = "heads"
    seed: Seed = 0


@dataclass(frozen=True, kw_only=True)
class Again(Toss):
    """Toss and tally."""

    first: Annotated[tuple[Toss, ...], Items(at_least=2)] | Toss
    """Tosses that came before."""
    bias: Annotated[float, Range(above=0)] = 2.0


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_number_is_taken_where_every_bound_holds_and_only_there(x):
    assert Range(at_least=-1, at_most=2).accepts(x) == (-1 <= x <= 2)
    assert Range(above=-1, below=2).accepts(x) == (-1 < x < 2)
    assert Range(at_least=1, also=(0, "all")).accepts(x) == (x >= 1 or x == 0)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("bias=1.01", "Invalid bias=1.01: expected a number ≥ 0 and ≤ 1"),
        ("bias=nan", "Invalid bias=nan: expected a number ≥ 0 and ≤ 1"),
        ("times=-1", "Invalid times=-1: expected a whole number ≥ 1, or 0 (until heads)"),
        ("times=1.5", "Invalid times=1.5: expected a whole number ≥ 1, or 0 (until heads)"),
        ("times=99999999999999999999", "Invalid times=99999999999999999999"),
        ("coins=", "Invalid coins=: expected a name of at most"),
        ("coins=ducat,../x", "Invalid coins=../x: expected a name of at most"),
        ("coins=ducat,ducat", "Invalid coins=ducat,ducat: expected values separated by commas, each a name of at most"),
        ("side=edge", "Invalid side=edge: expected one of heads, tails"),
        ("seed=true", "Invalid seed=true: expected a whole number ≥ 0"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_is_expected(setting, said):
    with pytest.raises(UsageError) as error:
        parse_settings(Toss, [setting])
    assert str(error.value).startswith(said)


def test_a_trial_is_checked_however_it_is_made():
    for make in (lambda: Toss(bias=2.0), lambda: from_settings(Toss, {"bias": 2}), lambda: Again(first=(Toss(), Toss(bias=2.0)))):
        with pytest.raises(UsageError, match="bias=2"):
            make()
    with pytest.raises(UsageError, match="at least 2"):
        Again(first=(Toss(),))
    with pytest.raises(UsageError, match="bias=0"):
        Again(first=Toss(), bias=0.0)


def test_minus_zero_is_zero():
    assert Toss(bias=-0.0).id == Toss(bias=0.0).id


def test_the_settings_of_a_trial_are_listed_with_default_range_and_meaning():
    myth = dataclasses.replace(COIN, trial_types=(Toss, Again))
    about, lines = describe_settings(myth, "toss")
    assert about == "Toss a coin."
    assert lines[:2] == [
        {"setting": "bias", "value": "a number ≥ 0 and ≤ 1", "default": "0.5", "meaning": "Probability of heads, as the mint gives it."},
        {"setting": "times", "value": "a whole number ≥ 1, or 0 (until heads)", "default": "0", "meaning": ""},
    ]
    assert lines[-1]["meaning"] == "Seed of every random stream of the trial."
    first = next(line for line in describe_settings(myth, "again")[1] if line["setting"] == "first")
    assert first == {"setting": "first", "value": "a trial: first=Toss; set its fields with first.KEY=VALUE", "default": "required",
                     "meaning": "Tosses that came before."}  # fmt: skip


def test_a_field_keeps_the_meaning_that_its_base_gives_it():
    assert meanings(Again)["bias"] == "Probability of heads, as the mint gives it."


def test_rules_in_words():
    assert describe_type(Annotated[str, OneOf(("a", "b"))]) == "one of a, b"
    assert describe_type(Count | None) == "a whole number ≥ 1 or none"
