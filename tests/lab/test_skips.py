"""Skipped trials of a run: which are still missing."""

from dataclasses import dataclass, replace

import pytest

from myths.lab.analysis import analyze
from myths.lab.trial import canonical
from tests.lab.report import coin
from tests.lab.report.coin import COIN, Toss

NO_COINS = "Dataset coins is not downloaded: run `myths data get coins`"


@dataclass(frozen=True, kw_only=True)
class TossPrepared(Toss):
    """A toss that reads a dataset."""

    @property
    def data(self) -> tuple[str, ...]:
        return ("coins",)


SKIPPED = TossPrepared(coin="euro")


def skips(tmp_path, *skipped, later=(), reads=(), listed=(SKIPPED,), **arguments):
    """The reasons that a run gives whose first invocation skipped trials, and in whose second invocation others finished."""
    myth = replace(COIN, trial_types=(Toss, TossPrepared), trials=lambda profile, seeds, data: list(listed))
    first = [{"myth": COIN.name, "trial": canonical(trial), "reason": reason} for trial, reason in skipped]
    run = coin.make_run(tmp_path / "cpu-laptop", heads={}, myth=myth, skipped=first)
    second = coin.invocation("laptop", "20260102T000000-cd34")
    second["arguments"] |= {"claims": ["C2-euro"], **arguments}
    run.add_invocation("cpu", second, {})
    for trial in later:
        row = {"dataset": trial.coin, "heads": 5000, "times": 10_000}
        run.store(myth).append(coin.TrialRecord(trial, "ok", [row], data=dict.fromkeys(reads, "ab" * 32), invocation=second["id"]))
    return [reason for _, reason in analyze(myth, run).skipped]


def test_a_skip_is_reported_while_its_trial_is_missing(tmp_path):
    assert skips(tmp_path, (SKIPPED, NO_COINS)) == [NO_COINS]


@pytest.mark.parametrize(
    ("later", "reads", "listed"),
    [
        ((SKIPPED,), (), (SKIPPED,)),  # it finished
        ((), (), (Toss(coin="ducat"),)),  # its profile does not list it
        ((Toss(coin="ducat"),), ("coins",), (SKIPPED,)),  # another trial read the dataset that it lacked
    ],
)
def test_an_outdated_skip_is_not_reported(later, reads, listed, tmp_path):
    assert skips(tmp_path, (SKIPPED, NO_COINS), later=later, reads=reads, listed=listed) == []


@pytest.mark.parametrize("reason", ["abacus is not installed", "Dataset coins_2 is not downloaded: run `myths data get coins_2`"])
def test_a_dataset_that_is_available_does_not_end_a_skip_for_another_reason(reason, tmp_path):
    assert skips(tmp_path, (SKIPPED, reason), later=(Toss(coin="ducat"),), reads=("coins",)) == [reason]
