"""A made-up myth with every verdict, and runs of it written as the runner writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from myths.lab.analysis import Analysis, analyze
from myths.lab.claim import Claim
from myths.lab.claim_definition import definition
from myths.lab.criterion import above, at_least, between
from myths.lab.estimate import clopper_pearson, exact, student_t
from myths.lab.myth import Myth, Paper
from myths.lab.report import style
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import TrialRecord
from myths.lab.trial import Outcome, Trial

HOSTILE = '<script>alert("x")</script> & <img src=http://evil.example/x onerror=alert(1)>'


@dataclass(frozen=True, kw_only=True)
class Toss(Trial):
    """Toss a coin many times."""

    coin: str
    times: int = 1000
    seed: int = 0

    @property
    def protocol(self):
        return {"ducat": "paper", "button": "stand-in"}.get(self.coin, "reduced")

    def run(self, context):
        return Outcome(rows=[{"dataset": self.coin, "heads": 500, "times": self.times}])


def tosses(results) -> pd.DataFrame:
    table = results.frame(Toss)
    if len(table):
        table["heads_percent"] = 100 * table["heads"] / table["times"]
    return table


def share(rows):
    return clopper_pearson(int(rows["heads"].sum()), int(rows["times"].sum())).affine(100.0)


def spread_over_seeds(rows):
    return student_t(list(rows["heads_percent"] - 50), "seeds") if len(rows) > 1 else None


def figure(tables):
    table = tables["tosses"]
    if table.empty:
        return None
    drawing, ax = style.axes("Heads of a coin", "tosses", "heads (%)")
    ax.scatter(table["times"], table["heads_percent"], color=style.MEASURED_COLOR, label="here")
    ax.axhline(50.8, color=style.PAPER_COLOR, label="paper")
    ax.legend()
    return drawing


def claim(name, coin, criterion, **changes) -> Claim:
    given = {
        "id": name, "kind": "effect", "statement": f"A {coin} shows heads more often than tails", "source": "Sec. 2, Fig. 3", "paper": 50.8,
        "paper_low": 50.6, "paper_high": 51.0, "paper_value_source": "read", "unit": "%", "table": "tosses", "where": {"coin": coin},
        "trial": Toss, "measure": share, "criterion": criterion, "repetition_unit": "test examples",
    }  # fmt: skip
    return Claim(**{**given, **changes})


CLAIMS = (
    claim("C1-ducat", "ducat", above(50.0), primary=True, statement="A tossed ducat lands more often on the side it started from"),
    claim("C1-guilder", "guilder", at_least(51.0), primary=True, paper_value_source="from memory"),
    claim("C2-euro", "euro", above(50.0), paper_low=None, paper_high=None),
    claim("C3-level", "guilder", between(40.0, 60.0), kind="absolute", paper=None, paper_low=None, paper_high=None,
          paper_value_source="from memory, unverified"),
    claim("C4-button", "button", above(50.0), statement=HOSTILE, source=HOSTILE),
    claim("C5-franc", "franc", above(50.0), kind="follow-up", direction="weakens"),
    claim("C6-control", "ducat", at_least(1.0), kind="control", unit="tosses", paper=1.0, paper_low=None, paper_high=None,
          measure=lambda rows: exact(float(rows["times"].sum()), len(rows)), repetition_unit="exact"),
    claim("C7-spread", "ducat", between(0.1, 5.0), unit="pp", paper=0.5, paper_low=None, paper_high=None,
          measure=spread_over_seeds, repetition_unit="seeds"),
)  # fmt: skip

COIN = Myth(
    name="fair-coin",
    number=8,
    belief="A coin has no memory of the side it lay on",
    rebuttal="It lands a little more often on the side that it started from: about 51 of 100 times.",
    discussion="For the belief: nobody can use the bias in a single toss.\n\nAgainst it: 350,757 tosses, all recorded on film.",
    papers=(
        Paper(
            "Bartoš, F. et al.", 2023, "Fair coins tend to land on the same side they started", "arXiv", "https://arxiv.org/abs/2310.04153"
        ),
        Paper(HOSTILE, 2024, "No paper", "Nowhere", "javascript:alert(1)"),
    ),
    trial_types=(Toss,),
    trials=lambda profile, seeds, data: [],
    tables={"tosses": tosses, "nothing": lambda results: pd.DataFrame()},
    claims=CLAIMS,
    figures={},
    verdict_texts={
        "refuted": "Coins remember.",
        "standing": "Coins do not remember.",
    },
)

DRAWN = replace(COIN, figures={"heads": figure, "never": lambda tables: None})
"""The same with a figure, which takes longer than all else on a page."""

HEADS = {"ducat": (5400, 5350, 5380), "guilder": (4800,), "euro": (5040,), "button": (5500,)}


def invocation(profile: str, identity: str = "20260101T000000-ab12", **changes) -> dict:
    return {
        "id": identity,
        "started": "2026-01-01T00:00:00+00:00",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "arguments": {"myths": [COIN.name], "profile": profile, "seeds": None, "data": []},
        "machine": {"device": "cpu", "system": "Linux x86_64", "python": "3.12.1", "cpu": "Abacus 3000", "cores": 2},
        "packages": {"torch": "2.15.0", "numpy": "2.3"},
        "criteria": {c.id: c.criterion_text for c in CLAIMS},
        "definitions": {c.id: definition(c) for c in CLAIMS},
        "skipped": [],
        **changes,
    }


def make_run(
    path: Path, profile: str = "laptop", heads=None, myth: Myth = COIN, data=None, times: int = 10_000, first_seed: int = 0, **changes
) -> RunFolder:
    """A run folder with a trial for each number of heads."""
    run, made = RunFolder(path), invocation(profile, **changes)
    run.add_invocation(
        "cpu", made, data if data is not None else {"coins": {"source": "the mint", "note": "", "sha256": "ab" * 32, "state": "present"}}
    )
    store = run.store(myth)
    for coin, counts in (HEADS if heads is None else heads).items():
        for seed, count in enumerate(counts, start=first_seed):
            rows = [{"dataset": coin, "heads": count, "times": times}]
            store.append(
                TrialRecord(
                    Toss(coin=coin, times=times, seed=seed), "ok", rows, data={"coins": "ab" * 32}, seconds=61.5, invocation=made["id"]
                )
            )
    return run


def analysis(path: Path, *args, myth: Myth = COIN, **changes) -> Analysis:
    return analyze(myth, make_run(path, *args, myth=myth, **changes))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]
