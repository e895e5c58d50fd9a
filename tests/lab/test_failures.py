"""Many failures make one sentence: what happened how often, and the first of them."""

from dataclasses import dataclass

import pytest

from myths.lab.claim import Claim
from myths.lab.criterion import above
from myths.lab.failures import causes, reasons, summary
from myths.lab.trial import Trial, dependency_types


@dataclass(frozen=True, kw_only=True)
class Train(Trial):
    dataset: str
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Prune(Trial):
    models: tuple[Train, ...]
    share: float


@dataclass(frozen=True, kw_only=True)
class Compare(Trial):
    one: Prune
    dataset: str = "both"


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        (
            ["the worker process was ended by SIGABRT"] * 20 + ["the worker process was ended by SIGSEGV: free(): invalid pointer"] * 13,
            "worker process ended by SIGABRT (20) or SIGSEGV (13)",
        ),
        (["ValueError: a", "torch.OutOfMemoryError: b", "ValueError: c"], "ValueError (2), torch.OutOfMemoryError (1)"),
        (["digits is not here: myths data get digits"] * 2, "digits is not here: myths data get digits (2)"),
        (["MythsError"], "MythsError (1)"),
        ([""], "no message (1)"),
        (["x" * 1000], f"{'x' * 159}… (1)"),
    ],
)
def test_errors_of_one_cause_are_counted_together(errors, said):
    assert causes(errors) == said


def test_a_thousand_failures_are_as_short_as_ten():
    failed = [(Train(dataset="d" * 500, seed=seed), f"ValueError: {seed} {'x' * 500}") for seed in range(1000)]
    said = summary(failed, total=1500, skipped_dependents=7)
    assert said.startswith("1000 of 1500 trials failed: ValueError (1000); 7 dependent trials did not run; first: Train(dataset=ddd")
    assert len(said) < 800
    assert summary(failed[:1], total=1).startswith("1 of 1 trials failed: ValueError (1); first:")


def test_a_reason_to_skip_is_said_once():
    skipped = [(Train(dataset=name), reason) for name, reason in [("a", "no a"), ("b", "no b"), ("c", "no b")]]
    assert reasons(skipped) == [("no b", 2), ("no a", 1)]


def claim(trial, **where):
    return Claim(
        id="C", kind="effect", statement="", source="", paper=None, paper_value_source="read", table="t", where=where, trial=trial,
        measure=lambda rows: None, criterion=above(0), repetition_unit="seeds",
    )  # fmt: skip


def test_a_claim_is_hindered_by_its_trials_and_all_that_those_depend_on():
    assert dependency_types(Compare) == (Prune, Train)
    assert dependency_types(Train) == ()
    cifar, digits = Train(dataset="cifar10"), Train(dataset="digits")
    pruned = Prune(models=(cifar,), share=0.3)
    assert claim(Train, dataset="cifar10").is_blocked_by(cifar)
    assert not claim(Train, dataset="cifar10").is_blocked_by(digits)
    assert claim(Prune, dataset=("cifar10", "cifar100")).is_blocked_by(cifar)
    assert not claim(Prune, dataset="cifar10").is_blocked_by(digits)
    assert not claim(Prune).is_blocked_by(Compare(one=pruned))
    assert not claim(Train).is_blocked_by(pruned)
    assert claim(Compare, a_column_of_the_table=1).is_blocked_by(digits)
    assert not claim(Compare, dataset="cifar10").is_blocked_by(digits)
    assert not claim(Compare).selects(digits)
