"""The claims: what the paper says, the number that tests it, and the criterion, which stood here before the runs.

Numbers of the paper marked "computed" were recomputed from the authors' predictions, "read" comes from the abstract, "recalled"
from memory of the paper. The criteria are this suite's proposals; the paper states none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from myths.cifar10_1 import order
from myths.cifar10_1.ladder import EvaluateModel
from myths.cifar10_1.reuse import ReuseTestSet
from myths.cifar10_1.trials import PublishedAccuracy, PublishedHardImages, PublishedOrder
from myths.lab.claim import Claim, above, at_least, at_most, below, between
from myths.lab.estimate import Estimate, exact, fisher_z, student_t

if TYPE_CHECKING:
    import pandas as pd

Measure = Callable[["pd.DataFrame"], Estimate | None]

TABLE_1 = "Recht et al. 2018, Table 1"
APPENDIX_D = "Recht et al. 2018, Appendix D"
FIGURE_1 = "Recht et al. 2018, Fig. 1; recomputed from the authors' predictions. The 2019 paper, recalled, prints 1.7"
RECOMPUTED = "recomputed from the authors' predictions"
PROPOSAL = "proposed by this suite"


# --- measures: rows of a table -> an estimate ------------------------------------------------------


def smallest_gap(rows: pd.DataFrame) -> Estimate | None:
    """The gap (pp) of the model whose interval reaches lowest: every model loses if even this one does."""
    row = rows.loc[rows["gap_low_pp"].idxmin()]
    n = row["n"] if "n" in row else row["new_n"]
    return Estimate(float(row["gap_pp"]), float(row["gap_low_pp"]), float(row["gap_high_pp"]), "test examples", int(n))


def mean_gap(rows: pd.DataFrame) -> Estimate | None:
    """The mean gap (pp) of a fixed set of models."""
    return exact(rows["gap_pp"].mean(), len(rows))


def from_columns(name: str, rows: pd.DataFrame) -> Estimate | None:
    """A quantity with its bootstrap interval over models, as it stands in a table of fits."""
    row = rows.iloc[0]
    return Estimate(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]), "models", int(row["models"]))


def spearman(x: str, y: str, rows: pd.DataFrame) -> Estimate | None:
    """Rank correlation of two columns over models, means over seeds, with its Fisher-z interval."""
    means = rows.groupby("model")[[x, y]].mean()
    if len(means) < 4:
        return None
    rho, _ = order.correlations(means[x].to_numpy(), means[y].to_numpy())
    return None if rho != rho else fisher_z(rho, len(means), "models", "spearman")


def mean_difference(rows: pd.DataFrame) -> Estimate | None:
    """Mean accuracy on v4 minus v6 (pp) over models, with a t interval over models."""
    accuracy = rows.pivot(index="model", columns="test_set", values="accuracy_percent")
    return student_t((accuracy["v4"] - accuracy["v6"]).tolist(), "models") if {"v4", "v6"} <= set(accuracy) else None


def share(part: str, of: str, rows: pd.DataFrame) -> Estimate | None:
    """One count as a percentage of another; 0 where there is nothing to count from."""
    row = rows.iloc[0]
    return exact(100 * row[part] / row[of] if row[of] else 0.0, int(row[of]))


def cells_that_differ(rows: pd.DataFrame) -> Estimate | None:
    """How many numbers of the known table differ from those computed here."""
    return exact(int((~rows["equal"].astype(bool)).sum()), len(rows))


def hard_ratio(rows: pd.DataFrame) -> Estimate | None:
    """Share of images that no model gets right, new over original."""
    row = rows.iloc[0]
    if not row["new_images"] or not row["original_images"]:
        return None
    return Estimate(float(row["ratio"]), float(row["ratio_low"]), float(row["ratio_high"]), "test examples", int(row["new_n"]))


def mean_share(rows: pd.DataFrame) -> Estimate | None:
    """Mean share of the drop (percent), over draws of candidates and of halves; test images and drop are taken as they are."""
    return student_t(rows["share_percent"].tolist(), "seeds") if len(rows) > 1 else None


# --- the claims ------------------------------------------------------------------------------------


def _published(test_set: str) -> tuple[Claim, ...]:
    """The claims on one new test set that need the accuracies of the published models only."""
    v4 = test_set == "v4"
    where, source = {"test_set": test_set}, TABLE_1 if v4 else APPENDIX_D
    name = f"CIFAR-10.1 {test_set}"
    common: dict[str, Any] = {"table": "accuracies", "where": where, "trial": PublishedAccuracy}
    of_line: dict[str, Any] = {
        "table": "fits",
        "where": where | {"scale": "accuracy"},
        "trial": PublishedAccuracy,
        "paper_checked": "computed",
    }
    of_probit = of_line | {"where": where | {"scale": "probit"}}
    mean, slope, (slope_low, slope_high), r2, rho = (
        (8.11, 1.617, (1.53, 1.70), 0.989, 0.978) if v4 else (7.78, 1.595, (1.52, 1.67), 0.990, 0.971)
    )
    line_source = FIGURE_1 if v4 else f"{APPENDIX_D}; {RECOMPUTED}"
    claims = [
        Claim(
            id=f"G1-{test_set}",
            kind="effect",
            statement=f"All 30 published models lose accuracy on {name}: even the smallest gap is above zero.",
            source=f"{source} (gaps of {'4.1 to 15.4' if v4 else '4.0 to 14.6'} points)",
            paper=4.1 if v4 else 4.0,
            paper_checked="computed",
            unit="pp",
            measure=smallest_gap,
            criterion=above(0),
            decisive=v4,
            controls=("G0-table",),
            **common,
        ),
        Claim(
            id=f"G1-mean-{test_set}",
            kind="level",
            statement=f"The 30 published models lose {mean} points on {name} on average (an identity).",
            source=f"{source}; {RECOMPUTED}",
            paper=mean,
            paper_checked="computed",
            unit="pp",
            measure=mean_gap,
            criterion=between(mean - 0.01, mean + 0.01),
            controls=("G0-table",),
            **common,
        ),
        Claim(
            id=f"G2-slope-{test_set}",
            kind="effect",
            statement=f"Accuracy on {name} rises linearly with the original accuracy, with a slope above 1.",
            source=line_source,
            paper=slope,
            paper_low=slope_low,
            paper_high=slope_high,
            measure=partial(from_columns, "slope"),
            criterion=above(1),
            **of_line,
        ),
        Claim(
            id=f"G2-r2-{test_set}",
            kind="effect",
            statement=f"A line explains nearly all of the differences between models on {name}.",
            source=line_source,
            paper=r2,
            unit="R²",
            measure=partial(from_columns, "r2"),
            criterion=at_least(0.95),
            **of_line,
        ),
        Claim(
            id=f"G3-probit-{test_set}",
            kind="effect",
            statement=f"On the probit scale the slope on {name} is near 1: what is above 1 is mostly the ceiling at 100 %.",
            source=f"Miller et al. 2021 (scale); {RECOMPUTED}",
            paper=0.951 if v4 else None,
            measure=partial(from_columns, "slope"),
            criterion=between(0.90, 1.00),
            **of_probit,
        ),
        Claim(
            id=f"G5-spearman-{test_set}",
            kind="effect",
            statement=f"The ranking of the 30 models is preserved on {name}.",
            source=f"{source}; {RECOMPUTED}",
            paper=rho,
            paper_checked="computed",
            unit="Spearman ρ",
            measure=partial(spearman, "original_accuracy_percent", "accuracy_percent"),
            criterion=at_least(0.95),
            **common,
        ),
        Claim(
            id=f"G5-flips-{test_set}",
            kind="effect",
            statement=f"Pairs of models that change their order on {name} hardly ever do so significantly (exact McNemar, p < .05).",
            source=f"{source}; {RECOMPUTED}: {'0 of 24' if v4 else '1 of 30'} flips",
            paper=0.0 if v4 else 3.33,
            paper_checked="computed",
            unit="% of flips",
            table="order",
            where=where,
            trial=PublishedOrder,
            measure=partial(share, "significant", "flips"),
            criterion=at_most(5),
        ),
    ]
    return tuple(claims)


def _own(test_set: str, suffix: str, ways: int, words: str) -> tuple[Claim, ...]:
    """The claims on the models trained here, on one new test set."""
    where = {"test_set": test_set, "ways": ways}
    on_line: dict[str, Any] = {
        "table": "ladder_fits",
        "where": where | {"scale": "accuracy"},
        "trial": EvaluateModel,
        "paper": None,
        "paper_checked": "computed",
    }
    cifar10_1 = suffix != "tiny"
    number = "-own" if cifar10_1 else ""
    tail = "" if cifar10_1 else "-tiny"
    set_suffix = f"-{suffix}" if cifar10_1 else ""
    return (
        Claim(
            id=f"G1{number}-{suffix}",
            kind="effect",
            statement=f"Every model trained here loses accuracy on {words}.",
            source={"v4": TABLE_1, "v6": APPENDIX_D}.get(suffix, PROPOSAL),
            paper=None,
            paper_checked="computed",
            unit="pp",
            table="ladder",
            where=where,
            trial=EvaluateModel,
            measure=smallest_gap,
            criterion=above(0),
        ),
        Claim(
            id=f"G2{number}-slope{set_suffix}{tail}",
            kind="effect",
            statement=f"Over models trained here, accuracy on {words} rises linearly with a slope above 1.",
            source={"v4": FIGURE_1, "v6": APPENDIX_D}.get(suffix, PROPOSAL),
            measure=partial(from_columns, "slope"),
            criterion=above(1),
            **on_line,
        ),
    )


TINY = "22 synsets of Tiny ImageNet in 7 of the 10 classes (not CIFAR-10.1: another and larger shift)"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="G0-table",
        kind="control",
        statement="What is computed from the published predictions equals the known table, number by number.",
        source=f"modestyachts/CIFAR-10.1 @d9982ab; {RECOMPUTED}",
        paper=0,
        paper_checked="computed",
        unit="cells that differ",
        table="recomputed",
        trial=PublishedAccuracy,
        measure=cells_that_differ,
        criterion=at_most(0),
    ),
    *_published("v4"),
    *_published("v6"),
    Claim(
        id="G4-gap-v4",
        kind="effect",
        statement="Better models lose fewer points.",
        source=RECOMPUTED,
        paper=None,
        paper_checked="computed",
        unit="Spearman ρ",
        table="accuracies",
        where={"test_set": "v4"},
        trial=PublishedAccuracy,
        measure=partial(spearman, "original_accuracy_percent", "gap_pp"),
        criterion=below(-0.8),
    ),
    Claim(
        id="G4-ratio-v4",
        kind="effect",
        statement="And yet the errors of better models multiply by more (1.73 to 3.06 times).",
        source=RECOMPUTED,
        paper=None,
        paper_checked="computed",
        unit="Spearman ρ",
        table="accuracies",
        where={"test_set": "v4"},
        trial=PublishedAccuracy,
        measure=partial(spearman, "original_accuracy_percent", "error_ratio"),
        criterion=above(0),
    ),
    Claim(
        id="G6-mean",
        kind="effect",
        statement="The two versions of the new test set agree: v4 minus v6, mean over models.",
        source=f"{APPENDIX_D}; {RECOMPUTED}",
        paper=-0.33,
        paper_checked="computed",
        unit="pp",
        table="accuracies",
        where={"test_set": ("v4", "v6")},
        trial=PublishedAccuracy,
        measure=mean_difference,
        criterion=between(-0.5, 0.5),
    ),
    Claim(
        id="G7-line-v4",
        kind="effect",
        statement="Few models are farther than two binomial standard errors from the line (rule and limit are our proposal).",
        source="Recht et al. 2018, Sec. 5, in words",
        paper=None,
        paper_checked="read",
        unit="% of models",
        table="fits",
        where={"test_set": "v4", "scale": "accuracy"},
        trial=PublishedAccuracy,
        measure=partial(share, "off_line", "models"),
        criterion=at_most(10),
    ),
    Claim(
        id="G8-v4",
        kind="effect",
        statement="Images that no model gets right are more frequent in the new set (21 of 2,021, not 28 of 10,000).",
        source=RECOMPUTED,
        paper=3.71,
        paper_checked="computed",
        unit="times",
        table="hard_images",
        where={"test_set": "v4", "which": "all_wrong"},
        trial=PublishedHardImages,
        measure=hard_ratio,
        criterion=above(1),
    ),
    Claim(
        id="G9",
        kind="effect",
        statement="Selecting the best of 1,000 weak models on half a test set flatters by less than a quarter of the mean drop.",
        source=f"Recht et al. 2018, abstract, in words; the number is {PROPOSAL}",
        paper=None,
        paper_checked="read",
        unit="% of the drop",
        table="reuse_share",
        where={"strategy": "best of k", "k": 1000},
        trial=ReuseTestSet,
        needs=({}, {"trial": PublishedAccuracy}),
        measure=mean_share,
        criterion=below(25),
        decisive=True,
    ),
    Claim(
        id="G9-climb",
        kind="effect",
        statement="Nor does a greedy climb by more: a committee that keeps what helps on the reused half, over 1,000 queries.",
        source=PROPOSAL,
        paper=None,
        paper_checked="computed",
        unit="% of the drop",
        table="reuse_share",
        where={"strategy": "hill climbing", "k": 1000},
        trial=ReuseTestSet,
        needs=({}, {"trial": PublishedAccuracy}),
        measure=mean_share,
        criterion=below(25),
    ),
    *_own("cifar10_1_v4", "v4", 10, "CIFAR-10.1 v4"),
    *_own("cifar10_1_v6", "v6", 10, "CIFAR-10.1 v6"),
    *_own("cifar10_tiny_imagenet", "tiny", 7, TINY),
    Claim(
        id="G2-r2-tiny",
        kind="effect",
        statement=f"Over the models trained here, a line explains nearly all of the differences on {TINY}.",
        source=f"Miller et al. 2021, in kind; {PROPOSAL}",
        paper=None,
        paper_checked="read",
        unit="R²",
        table="ladder_fits",
        where={"test_set": "cifar10_tiny_imagenet", "ways": 7, "scale": "accuracy"},
        trial=EvaluateModel,
        measure=partial(from_columns, "r2"),
        criterion=at_least(0.95),
    ),
    Claim(
        id="G5-spearman-tiny",
        kind="effect",
        statement=f"The models trained here keep their ranking on {TINY}.",
        source=PROPOSAL,
        paper=None,
        paper_checked="computed",
        unit="Spearman ρ",
        table="ladder",
        where={"test_set": "cifar10_tiny_imagenet", "ways": 7},
        trial=EvaluateModel,
        measure=partial(spearman, "original_accuracy_percent", "new_percent"),
        criterion=at_least(0.95),
    ),
)
