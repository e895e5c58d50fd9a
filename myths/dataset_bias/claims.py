"""The claims: what the papers say, the number that tests it, and the criterion, which stood here before the runs.

The sets here are not all Torralba's, and are smaller: effects are tested, levels are not. Numbers of the paper marked "read" stand in
public copies of it (Table 1 as a picture), "recalled" come from memory. Criteria without a source are this suite's proposals.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.dataset_bias.crossing import CrossSet, NegativeSet
from myths.dataset_bias.naming import NameParts, NameThatDataset
from myths.dataset_bias.network import NameByNetwork, ProbeNetwork
from myths.dataset_bias.printed import RecomputePrinted
from myths.lab.claim import Claim, above, at_least, at_most, between
from myths.lab.estimate import Estimate, exact, student_t

if TYPE_CHECKING:
    import pandas as pd

Measure = Callable[["pd.DataFrame"], Estimate | None]

FIGURE_2 = "Torralba & Efros 2011, Fig. 2"
TABLE_1 = "Torralba & Efros 2011, Table 1"
PROPOSAL = "proposed by this suite"


# --- measures: rows of a table -> an estimate ------------------------------------------------------


def mean_of(column: str, rows: pd.DataFrame) -> Estimate | None:
    """The mean over random splits; the splits share images, so the interval covers the draw of images and not of data sets."""
    values = rows[column].dropna()
    return student_t(values.to_numpy(dtype=float), "seeds") if len(values) > 1 else None


def mean_of_splits(column: str, rows: pd.DataFrame) -> Estimate | None:
    """As ``mean_of``, of the means of each split's rows."""
    return mean_of(column, rows.groupby("seed")[column].mean().reset_index())


def difference(column: str, by: str, first: Any, second: Any, rows: pd.DataFrame) -> Estimate | None:
    """First minus second, paired by random split."""
    wide = rows.pivot_table(index="seed", columns=by, values=column)
    if not {first, second} <= set(wide):
        return None
    values = (wide[first] - wide[second]).dropna()
    return student_t(values.to_numpy(dtype=float), "seeds") if len(values) > 1 else None


def rank_correlation(rows: pd.DataFrame) -> Estimate | None:
    """Spearman's ρ of accuracy and training size within each split, mean over splits."""
    from scipy import stats

    found = [float(stats.spearmanr(g["n_per_set"], g["accuracy_percent"]).statistic) for _, g in rows.groupby("seed") if len(g) > 3]
    return student_t(np.array(found), "seeds") if len(found) > 1 else None


def last_gain(rows: pd.DataFrame) -> Estimate | None:
    """Accuracy at the largest training size minus at half of it, paired by split."""
    most = int(rows["n_per_set"].max())
    return difference("accuracy_percent", "n_per_set", most, most // 2, rows) if most // 2 in set(rows["n_per_set"]) else None


def bootstrapped(column: str, rows: pd.DataFrame) -> Estimate | None:
    """A share with the bootstrap interval over splits that stands in the table."""
    row = rows.iloc[0]
    low, high = (float(row[f"{column}_{end}_percent"]) for end in ("low", "high"))
    return Estimate(float(row[f"{column}_percent"]), low, high, "seeds", int(row["splits"]))


def recomputed(rows: pd.DataFrame) -> Estimate | None:
    """The one margin of these rows, from the printed cells."""
    return exact(float(rows["recomputed"].iloc[0]), 1)


def disagreeing(rows: pd.DataFrame) -> Estimate | None:
    """How many printed margins rounding cannot explain."""
    return exact(int((~rows["agrees"].astype(bool)).sum()), len(rows))


# --- the claims ------------------------------------------------------------------------------------

INDEPENDENT: dict[str, Any] = {"list": "independent", "treatment": "none", "deduplicated": False, "largest": True}
HOG = INDEPENDENT | {"feature": "hog"}


def _across(task: str, words: str, *, decisive: bool) -> tuple[Claim, ...]:
    """The claims on training on one set and testing on another, of one task."""
    where = {"task": task, "feature": "hog"}
    common: dict[str, Any] = {"where": where, "trial": CrossSet}
    return (
        Claim(
            id=f"D6-{task}",
            kind="effect",
            statement=f"Classifiers of {words} lose much of their average precision on the other sets: mean self to mean others.",
            source=f"{TABLE_1}: 48.5, 38.1, 46.6, 35.8 % from its cells (38.1 is printed as 48); the limit is the smallest less 15",
            paper=42.3,
            paper_low=35.8,
            paper_high=48.5,
            paper_checked="computed",
            unit="% drop",
            table="drops",
            measure=partial(mean_of, "drop_percent"),
            criterion=at_least(20.8),
            decisive=decisive,
            **common,
        ),
        Claim(
            id=f"D6-{task}-sets",
            kind="effect",
            statement=f"Most training sets of {words} do better at home than on the mean of the others.",
            source=f"{TABLE_1}: 20 of 24 rows; the limit is 4 of 6",
            paper=83.3,
            paper_checked="computed",
            unit="% of training sets",
            table="drops",
            measure=partial(mean_of, "better_at_home_percent"),
            criterion=at_least(66.6),
            **common,
        ),
        Claim(
            id=f"D6-{task}-home",
            kind="effect",
            statement=f"Home is better than rows and columns explain, for {words}: residual of the diagonal in an additive fit.",
            source=f"{PROPOSAL}: a percent drop takes an easy test set for bias",
            paper=None,
            paper_checked="computed",
            unit="pp of AP",
            table="drops",
            measure=partial(mean_of, "advantage_pp"),
            criterion=above(0),
            **common,
        ),
        Claim(
            id=f"D8-{task}",
            kind="effect",
            statement=f"A training image of {words} from another set is worth less than a native one, in at least four of five pairs.",
            source="Torralba & Efros 2011, Table 3: 20 of 20 below one (15 of them above zero)",
            paper=100.0,
            paper_checked="recalled",
            unit="% of pairs with α < 1",
            table="devalued",
            measure=partial(bootstrapped, "below_one"),
            criterion=at_least(80),
            **common,
        ),
    )


def _negative(task: str, paper: float) -> Claim:
    return Claim(
        id=f"D7-{task}",
        kind="effect",
        statement=f"A detector of {task} finds the negatives of other sets harder than those of its own set.",
        source="Torralba & Efros 2011, Table 2 (detection)",
        paper=paper,
        paper_checked="recalled",
        unit="% drop of AP, mean over sets",
        table="negatives",
        where={"task": task, "feature": "hog"},
        trial=NegativeSet,
        measure=partial(mean_of_splits, "drop_percent"),
        criterion=above(0),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="N1",
        kind="control",
        statement="Random parts of one set cannot be told apart: accuracy minus chance, over ten sets.",
        source="Liu & He 2024, pseudo-datasets: 33 % of three",
        paper=0.0,
        paper_checked="read",
        unit="pp",
        table="null",
        where={"feature": "hog", "treatment": "none", "parts": 4},
        trial=NameParts,
        measure=partial(mean_of_splits, "above_chance_pp"),
        criterion=between(-3, 3),
    ),
    Claim(
        id="N2",
        kind="control",
        statement="One simulated camera under five names cannot be told from itself: accuracy minus chance, over features.",
        source=PROPOSAL,
        paper=0.0,
        paper_checked="computed",
        unit="pp",
        table="naming",
        where={"list": "one camera (null)", "largest": True},
        trial=NameThatDataset,
        measure=partial(mean_of, "above_chance_pp"),
        criterion=between(-5, 5),
    ),
    Claim(
        id="D1",
        kind="effect",
        statement="A linear classifier on HOG names the data set of an image, of ten independent ones, far above chance.",
        source=f"{FIGURE_2}: 39 % of twelve, chance 8 %",
        paper=4.68,
        paper_checked="read",
        unit="× chance",
        table="naming",
        where=HOG,
        trial=NameThatDataset,
        measure=partial(mean_of, "times_chance"),
        criterion=at_least(3),
        decisive=True,
        controls=("N1",),
    ),
    Claim(
        id="D1-cameras",
        kind="effect",
        statement="The same photographs, through five simulated cameras, are named by camera above chance.",
        source=f"{PROPOSAL}: the mechanism, without any data set",
        paper=None,
        paper_checked="computed",
        unit="× chance",
        table="naming",
        where={"list": "simulated cameras", "feature": "hog", "treatment": "none", "largest": True},
        trial=NameThatDataset,
        measure=partial(mean_of, "times_chance"),
        criterion=above(1),
        controls=("N2",),
    ),
    Claim(
        id="D1-hog-color",
        kind="effect",
        statement="HOG names the set better than a color thumbnail does.",
        source=FIGURE_2,
        paper=None,
        paper_checked="recalled",
        unit="pp",
        table="naming",
        where=INDEPENDENT | {"feature": ("hog", "color thumbnail")},
        trial=NameThatDataset,
        measure=partial(difference, "accuracy_percent", "feature", "hog", "color thumbnail"),
        criterion=above(0),
    ),
    Claim(
        id="D1-color-gray",
        kind="effect",
        statement="And a color thumbnail better than a gray one.",
        source=FIGURE_2,
        paper=None,
        paper_checked="recalled",
        unit="pp",
        table="naming",
        where=INDEPENDENT | {"feature": ("gray thumbnail", "color thumbnail")},
        trial=NameThatDataset,
        measure=partial(difference, "accuracy_percent", "feature", "color thumbnail", "gray thumbnail"),
        criterion=above(0),
    ),
    Claim(
        id="D3-rank",
        kind="effect",
        statement="The more training images, the better the set is named.",
        source=f"{FIGURE_2}, left: monotone up to 1,000",
        paper=1.0,
        paper_checked="read",
        unit="Spearman ρ",
        table="naming",
        where={k: v for k, v in HOG.items() if k != "largest"},
        trial=NameThatDataset,
        measure=rank_correlation,
        criterion=at_least(0.9),
    ),
    Claim(
        id="D3-last",
        kind="effect",
        statement="Without saturation: the last doubling, from 350 to 700 images a set, still helps.",
        source=f"{FIGURE_2}, left, in words",
        paper=None,
        paper_checked="read",
        unit="pp",
        table="naming",
        where={k: v for k, v in HOG.items() if k != "largest"},
        trial=NameThatDataset,
        measure=last_gain,
        criterion=above(0),
    ),
    Claim(
        id="D4",
        kind="effect",
        statement="Sets of one parent or maker are confused: a wrong name is a sibling's at least twice as often as by chance.",
        source=f"{FIGURE_2}, right, in words (block structure); the limit is {PROPOSAL}",
        paper=None,
        paper_checked="recalled",
        unit="× an even spread of errors",
        table="siblings",
        where={"list": "all", "feature": "hog", "treatment": "none", "set": "all"},
        trial=NameThatDataset,
        measure=partial(mean_of, "lift"),
        criterion=at_least(2),
    ),
    Claim(
        id="D4-caltech",
        kind="effect",
        statement="Caltech-101 is confused with Caltech-256 (ten of its classes) more than by chance.",
        source='Torralba & Efros 2011, in words: "predictably confused"',
        paper=None,
        paper_checked="read",
        unit="× an even spread of errors",
        table="siblings",
        where={"list": "all", "feature": "hog", "treatment": "none", "set": "caltech101"},
        trial=NameThatDataset,
        measure=partial(mean_of, "lift"),
        criterion=above(1),
    ),
    Claim(
        id="D5",
        kind="effect",
        statement="The set is named from pictures of cars alone (four sets).",
        source="Torralba & Efros 2011, p. 2: 61 % of five sets, chance 20 %",
        paper=3.05,
        paper_checked="recalled",
        unit="× chance",
        table="naming",
        where=HOG | {"list": "cars"},
        trial=NameThatDataset,
        measure=partial(mean_of, "times_chance"),
        criterion=at_least(2),
    ),
    *_across("office-caltech", "ten office objects over three sets", decisive=True),
    *_across("pacs", "seven kinds of things over photographs, paintings, cartoons and sketches", decisive=True),
    *_across("cars", "cars over three sets", decisive=False),
    _negative("cars", 8.4),
    _negative("persons", 9.1),
    Claim(
        id="X2",
        kind="effect",
        statement="The printed 48 % drop of car detection is a misprint: the table's own cells give 38 %.",
        source=f"{TABLE_1}, car detection, mean others",
        paper=48.0,
        paper_checked="read",
        unit="% drop",
        table="printed",
        where={"table": "Table 1", "task": "car detection", "quantity": "drop of means"},
        trial=RecomputePrinted,
        measure=recomputed,
        criterion=between(37.5, 38.5),
        misprint=True,
    ),
    Claim(
        id="X2-others",
        kind="control",
        statement="No other margin of Table 1 is at odds with its cells.",
        source=TABLE_1,
        paper=0.0,
        paper_checked="computed",
        unit="margins",
        table="printed",
        where={"table": "Table 1", "task": ("car classification", "person classification", "person detection")},
        trial=RecomputePrinted,
        measure=disagreeing,
        criterion=at_most(0),
    ),
    Claim(
        id="C1",
        kind="effect",
        statement="At least half of the accuracy above chance survives when all sets are put into the same container (HOG).",
        source=f"{PROPOSAL}; the original has no such control",
        paper=None,
        paper_checked="computed",
        unit="% of what is above chance",
        table="survives",
        where={"list": "independent", "feature": "hog", "treatment": "same container"},
        trial=NameThatDataset,
        needs=({"deduplicated": False}, {"treatment": "none", "deduplicated": False}),
        measure=partial(mean_of, "survives_percent"),
        criterion=at_least(50),
    ),
    Claim(
        id="C2",
        kind="effect",
        statement="It is not memory: without near-duplicates, at least three quarters of the accuracy above chance remain (HOG).",
        source=f"{PROPOSAL}; the original has no such control",
        paper=None,
        paper_checked="computed",
        unit="% of what is above chance",
        table="survives",
        where={"list": "independent", "feature": "hog", "treatment": "without near-duplicates"},
        trial=NameThatDataset,
        needs=({"treatment": "none"},),
        measure=partial(mean_of, "survives_percent"),
        criterion=at_least(75),
    ),
    Claim(
        id="Y1-hog",
        kind="today",
        statement="In the same container, gray and compressed alike, HOG still names the set 20 points above chance.",
        source="Liu & He 2024: 84.7 % of three sets, chance 33.3 % (ConvNeXt-T); the limit is this suite's",
        paper=51.4,
        paper_checked="read",
        unit="pp",
        table="naming",
        where=HOG | {"treatment": "same container"},
        trial=NameThatDataset,
        measure=partial(mean_of, "above_chance_pp"),
        criterion=at_least(20),
        controls=("N1",),
    ),
    Claim(
        id="Y1-network",
        kind="today",
        statement="A ResNet-18 trained end to end names it 20 points above chance in the same container.",
        source="Liu & He 2024: 84.7 % of three sets, chance 33.3 % (ConvNeXt-T); the limit is this suite's",
        paper=51.4,
        paper_checked="read",
        unit="pp",
        table="network",
        where={"list": "independent", "network": "resnet18", "treatment": "same container"},
        trial=NameByNetwork,
        measure=partial(mean_of, "above_chance_pp"),
        criterion=at_least(20),
        controls=("N1",),
    ),
    Claim(
        id="Y2",
        kind="effect",
        statement="Naming sets teaches a network something of objects: its features classify PACS better than those before training.",
        source="Liu & He 2024: linear probe on ImageNet-1K 27.7 %, random features 6.7 %",
        paper=21.0,
        paper_checked="read",
        unit="pp",
        table="probe",
        where={"task": "pacs", "features": ("trained", "random")},
        trial=ProbeNetwork,
        measure=partial(difference, "accuracy_percent", "features", "trained", "random"),
        criterion=above(0),
    ),
)
