"""Claims of myth 4, with their measures and criteria.

Paper values with the source "read" come from the paper's text or its authors' code, "computed" values from its digitized figures. All
criteria are proposals of this suite, derived from the paper's numbers; the paper states none. Those that were written or changed after a
run are marked as not blind, for example the lower bound of "no change" in F3-ordered-30, which was added after a run on an H200.

The percentage of unforgettable examples depends on the schedule. Such claims have the kind "absolute": they need the paper's 200 epochs, or
a shorter schedule with a calibration that shows the same percentage. Rankings, signs and paired losses have the kind "effect".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from myths.forgetting import measures
from myths.forgetting.measures import RANDOM
from myths.forgetting.pruning_order import LEAST_FORGOTTEN, STRATIFIED
from myths.forgetting.trials import CompareCounts, CorrelateCounts, CountForgetting, CountUnforgettable, PruneNothing, TrainPruned
from myths.lab.claim import PROPOSAL, PROPOSED, Claim, FirstOf, cited
from myths.lab.criterion import Criterion, above, at_least, at_most, below, between, within
from myths.lab.measures import largest, mean_over_seeds, only_value

if TYPE_CHECKING:
    import pandas as pd

    from myths.lab.estimate import Estimate

PAPER = "Toneva et al. 2019"
SEC_4_1 = f"{PAPER}, Sec. 4.1"
DIFFERENCE = f"{SEC_4_1} (difference of the percentages over five training runs)"
SEC_6 = f"{PAPER}, Sec. 6"
FIG_3 = f"{PAPER}, Sec. 4.2 and Fig. 3"
FIG_5 = f"{PAPER}, Sec. 5 and Fig. 5 left"
FIG_5_RIGHT = f"{PAPER}, Fig. 5 right, read by eye"
FIG_6 = f"{PAPER}, Fig. 6"
CCS = "Zheng et al. 2023, abstract and introduction"
CCS_RANDOM = f"{CCS} (34.03 %; random by eye from a figure, about 79 %)"

CIFAR10 = FirstOf("cifar10", "cifar10 subset", "digits")
MNIST = FirstOf("mnist", "digits")
"""scikit-learn's digits are a stand-in, on which no conclusion is drawn."""
EL2N = ("EL2N after 4 epochs, lowest first", "EL2N after 20 epochs, lowest first")
SIZES = (0, 10_000)
"""Numbers of training examples, 0 for all, of claims on counts. The smaller sets of T4-scarce have controls of their own."""
CLEAN = {"label_noise": 0.0, "pixel_noise": 0.0, "train_examples": SIZES, "main_setting": True}
WINDOWS = {
    "dataset": "cifar10", "pruning_order": (LEAST_FORGOTTEN, RANDOM), "pruned_percent": 10.0, "transfer": False, "main_setting": True,
}  # fmt: skip
NOISY = {"dataset": CIFAR10, "label_noise": 0.2, "main_setting": True}
MANY_PRESENTATIONS = ({"epochs": lambda epochs: epochs >= measures.MIN_PRESENTATIONS},)
"""Trials of claims on label noise."""

COUNTED = (
    ("cifar10", FirstOf("cifar10", "cifar10 subset"), "CIFAR-10", 90.0), ("cifar100", ("cifar100",), "CIFAR-100", 70.0),
    ("mnist", ("mnist",), "MNIST", 98.8), ("permuted", ("permuted mnist",), "permuted MNIST", 97.0),
)  # fmt: skip
"""Least accuracies of networks whose forgetting events are counted: suffix, datasets, name, percent of the test images (F0-counted)."""
_unforgettable = partial(Claim, kind="absolute", table="unforgettable", trial=CountUnforgettable, repetition_unit="seeds")
_counts = partial(Claim, table="counts", trial=CountForgetting, repetition_unit="seeds")
_correlations = partial(Claim, unit="Pearson r", table="count_correlations", trial=CorrelateCounts, repetition_unit="seeds")
_comparisons = partial(Claim, table="count_comparisons", trial=CompareCounts, repetition_unit="seeds")


def _pruning(
    id: str,
    statement: str,
    reported: dict[str, Any],
    criterion: Criterion,
    percent: float,
    *,
    against: str = "full",
    dataset: str | tuple[str, ...] = "cifar10",
    order: str | tuple[str, ...] = LEAST_FORGOTTEN,
    transfer: bool = False,
    examples: int = 0,
    measure: Callable[[str, pd.DataFrame], Estimate | None] = measures.mean_over_rankings,
    **more: Any,
) -> Claim:
    """Return a claim on pruning, paired by seed: the loss ``against`` "full", or the gain over random pruning of as many examples."""
    baseline = {"pruning_order": RANDOM, **({"pruned_percent": 0.0} if against == "full" else {}), "transfer": ...}
    return Claim(
        id=id,
        statement=statement,
        **reported,
        unit="pp",
        table="pruning",
        where={
            "dataset": dataset, "train_examples": examples, "pruning_order": order, "pruned_percent": percent, "skipped_percent": 0.0,
            "transfer": transfer, "main_setting": True,
        },
        trial=TrainPruned,
        needs=({}, baseline),
        measure=partial(measure, "loss_pp" if against == "full" else "above_random_pp"),
        criterion=criterion,
        repetition_unit="seeds",
        **more,
    )  # fmt: skip


SCARCE = (
    ("mnist", "mnist subset", 1000, "MNIST", 80.0, 3.0, 90.0), ("cifar10", "cifar10 subset", 5000, "CIFAR-10", 30.0, 1.0, 60.0),
)  # fmt: skip
"""Small sets, on which the sign should be opposite to F4-vs-random-mnist and F3-vs-random-30: suffix, dataset, number of examples, name,
pruned percentage, margin and least accuracy. A difference counts if it exceeds what shuffled counts may cost."""
PRUNING_CONTROLS = (
    *(
        _pruning(
            f"F0-shuffled-{suffix}",
            f"Pruning {percent:g} % of {name} by shuffled counts costs as much accuracy as pruning at random (within {margin:g} points).",
            PROPOSED, between(-margin, margin), percent, kind="control", order="shuffled counts", against="random", dataset=dataset,
            measure=mean_over_seeds,  # Each seed shuffles the counts in its own way, so the interval is over seeds, not over rankings.
            blind=False,  # Measure and margin were chosen when four and five of the eight seeds of cpu-overnight were known.
            guards=(TrainPruned,), guarded={"dataset": dataset},
        )
        for suffix, dataset, name, percent, margin in (
            ("30", "cifar10", "CIFAR-10", 30.0, 0.2),  # half of the least difference of F3-vs-random-30
            ("mnist", "mnist", "MNIST", 80.0, 0.4), ("permuted", "permuted mnist", "permuted MNIST", 60.0, 0.4),
        )
    ),
    *(
        _pruning(
            f"F0-shuffled-scarce-{suffix}",
            f"Pruning {percent:g} % of the first {size:,} examples of {name} by shuffled counts costs as much accuracy as pruning at "
            f"random (within {margin:g} point{'s' if margin > 1 else ''}).",
            PROPOSED, between(-margin, margin), percent, kind="control", order="shuffled counts", against="random", dataset=dataset,
            examples=size, measure=mean_over_seeds, guards=(TrainPruned,), guarded={"dataset": dataset, "train_examples": size},
        )
        for suffix, dataset, size, name, percent, margin, _ in SCARCE
    ),
    *(
        _pruning(
            f"F0-rankings-{suffix}",
            f"Pruning {percent:g} % of {name} by counts of other training runs costs the same accuracy (within {margin:g} points).",
            PROPOSED, between(-margin, margin), percent, kind="control", dataset=dataset, measure=measures.difference_of_rankings,
            guards=(TrainPruned,), guarded={"dataset": dataset, "pruning_order": LEAST_FORGOTTEN, "transfer": False},
        )
        for suffix, dataset, name, percent, margin in (
            ("30", "cifar10", "CIFAR-10", 30.0, 0.3), ("mnist", "mnist", "MNIST", 80.0, 0.3),
            ("permuted", "permuted mnist", "permuted MNIST", 60.0, 0.5),
        )
    ),
    *(
        Claim(
            id=f"F0-trained-{suffix}", kind="control", **PROPOSED, unit="% of test images",
            statement=f"On all of {name}, {network} has a test accuracy of at least {floor:g} % (paper: {reported:g} %).",
            table="pruning", trial=TrainPruned, repetition_unit="seeds", needs=({"transfer": ...},),  # no scores, no transfer
            where={"dataset": dataset, "pruning_order": RANDOM, "pruned_percent": 0.0, "transfer": transfer, "main_setting": True},
            measure=partial(mean_over_seeds, "test_accuracy_percent"), criterion=at_least(floor),
            guards=(TrainPruned,), guarded={"dataset": dataset, "transfer": transfer},
        )
        for suffix, dataset, name, network, transfer, reported, floor in (
            ("cifar10", "cifar10", "CIFAR-10", "the network that is pruned for", False, 96.0, 90.0),
            ("transfer", "cifar10", "CIFAR-10", "the other network", True, 96.0, 90.0),
            ("cifar100", "cifar100", "CIFAR-100", "the network that is pruned for", False, 78.0, 70.0),
            ("mnist", "mnist", "MNIST", "the network that is pruned for", False, 99.2, 98.8),
            ("permuted", "permuted mnist", "permuted MNIST", "the network that is pruned for", False, 98.0, 97.0),
        )
    ),
    *(
        Claim(
            id=f"F0-trained-scarce-{suffix}", kind="control", **PROPOSED, unit="% of test images",
            statement=f"On the first {size:,} examples of {name}, the network has a test accuracy of at least {floor:g} %.",
            table="pruning", trial=TrainPruned, repetition_unit="seeds",
            where={"dataset": dataset, "train_examples": size, "pruning_order": RANDOM, "pruned_percent": 0.0, "main_setting": True},
            measure=partial(mean_over_seeds, "test_accuracy_percent"), criterion=at_least(floor),
            guards=(TrainPruned,), guarded={"dataset": dataset, "train_examples": size},
        )
        for suffix, dataset, size, name, _, _, floor in SCARCE
    ),
)  # fmt: skip
"""Default controls of claims on pruning. The paper's accuracies on CIFAR-100 and permuted MNIST are from memory."""

COUNTING_CONTROLS = (
    *(
        Claim(
            id=f"F0-counted-{suffix}", kind="control", **PROPOSED, unit="% of test images",
            statement=f"On {name}, networks whose forgetting events are counted have a test accuracy of at least {floor:g} %.",
            table="counts", trial=CountForgetting, repetition_unit="seeds", where={"dataset": datasets, **CLEAN},
            measure=partial(mean_over_seeds, "test_accuracy_percent"), criterion=at_least(floor), blind=False,
            guards=(CountForgetting, CountUnforgettable, CorrelateCounts, CompareCounts),
            guarded={"dataset": datasets, "label_noise": 0.0},
        )
        for suffix, datasets, name, floor in COUNTED
    ),
    Claim(
        id="F0-counted-noisy", kind="control", **PROPOSED, unit="% of test images",
        statement="With 20 % of the labels of CIFAR-10 flipped, networks whose forgetting events are counted have a test accuracy of at "
        "least 85 %.",
        table="counts", trial=CountForgetting, repetition_unit="seeds", where=NOISY, needs=MANY_PRESENTATIONS,
        measure=partial(measures.after_presentations, "test_accuracy_percent", 100.0), criterion=at_least(85), blind=False,
        guards=(CountForgetting,), guarded={"label_noise": 0.2},
    ),
)  # fmt: skip
"""Default controls of claims on counts. None is blind: the accuracies of published runs were known. Without noise, the limits are those of
F0-trained."""

PRUNING = (
    _pruning(
        "F3-ordered-30", "Pruning the least-forgotten 30 % of CIFAR-10 changes the accuracy by at most 0.3 points.",
        cited("computed", FIG_5, 0.12), within(0.3, beyond="low"), 30.0, dataset=FirstOf("cifar10", "digits"), primary=True,
        blind=False,
    ),
    _pruning(
        "F3-vs-random-30", "Pruning the least-forgotten 30 % of CIFAR-10 costs at least 0.4 points less accuracy than a random 30 %.",
        cited("computed", FIG_5, 0.76), at_least(0.4), 30.0, dataset=FirstOf("cifar10", "digits"), against="random", primary=True,
        blind=False,  # The measure of its control F0-shuffled-30 was chosen when four of the five seeds of cpu-overnight were known.
    ),
    _pruning(
        "F3-random-30", "Pruning a random 30 % of CIFAR-10 costs at least 0.4 points of accuracy.",
        cited("computed", f"{FIG_5} (1 point in the article)", 0.83), at_least(0.4), 30.0, order=RANDOM,
    ),
    _pruning(
        "F3-ordered-35", "Pruning the least-forgotten 35 % of CIFAR-10 changes the accuracy by at most 0.4 points.",
        cited("read", f"{FIG_5}; the limit allows 0.2 points more", 0.2), within(0.4, beyond="low"), 35.0,
    ),
    _pruning(
        "F3-ordered-50", "Pruning the least-forgotten 50 % of CIFAR-10 costs more than 0.3 points of accuracy.",
        cited("computed", FIG_5, 0.76), above(0.3), 50.0,
    ),
    _pruning(
        "F3-vs-random-50", "Pruning the least-forgotten 50 % of CIFAR-10 costs at least 0.7 points less accuracy than a random 50 %.",
        cited("computed", FIG_5, 1.44), at_least(0.7), 50.0, against="random",
    ),
    _pruning(
        "F3-cifar100-8", "Pruning the least-forgotten 8 % of CIFAR-100 changes the accuracy by at most 0.5 points.",
        cited("from memory", "Chang & Lipson 2019, citing Toneva et al. 2019", 0.0), within(0.5, beyond="low"), 8.0, dataset="cifar100",
    ),
    _pruning(
        "F4-mnist", "Pruning the least-forgotten 80 % of MNIST changes the accuracy by at most 0.3 points.",
        cited("computed", f"{FIG_6} (0.12 points at 83 %)", 0.12), within(0.3, beyond="low"), 80.0, dataset=MNIST, blind=False,
    ),
    _pruning(
        "F4-permuted-mnist", "Pruning the least-forgotten 60 % of permuted MNIST changes the accuracy by at most 0.5 points.",
        cited("computed", f"{FIG_6} (0.20 points at 58 %)", 0.20), within(0.5, beyond="low"), 60.0, dataset="permuted mnist",
        blind=False,
    ),
    _pruning(
        "F4-vs-random-mnist", "Pruning the least-forgotten 80 % of MNIST costs less accuracy than pruning a random 80 %.",
        cited("read", f"{FIG_6} (stated without a number)"), above(0), 80.0, dataset=MNIST, against="random",
    ),
    _pruning(
        "F4-vs-random-permuted-mnist", "Pruning the least-forgotten 60 % of permuted MNIST costs less accuracy than pruning a random 60 %.",
        cited("read", f"{FIG_6} (stated without a number)"), above(0), 60.0, dataset="permuted mnist", against="random",
    ),
)  # fmt: skip

BY_ANOTHER_NETWORK, BY_EL2N = (
    _pruning(
        "F6", "Pruning the 30 % of CIFAR-10 that another network forgets least changes accuracy by at most 0.4 points.",
        cited("read", f"{SEC_6} (WRN-28-10 with the order of ResNet-18, stated without a number)"),
        within(0.4, beyond="low"), 30.0, transfer=True,
    ),
    _pruning(
        "F9-el2n",
        "Pruning the 50 % of CIFAR-10 with the lowest EL2N scores costs at least 0.3 points less accuracy than pruning a random 50 %.",
        cited("read", f"Paul et al. 2021 (stated without a number); the limit is {PROPOSAL}"), at_least(0.3), 50.0, against="random",
        order=EL2N,
    ),
)  # fmt: skip

FOLLOW_UPS = (
    *(
        _pruning(
            f"T4-90-{suffix}", statement, said,
            criterion, 90.0, against="random", order=order, kind="follow-up", direction="weakens",
        )
        for suffix, order, said, criterion, statement in (
            ("ordered", LEAST_FORGOTTEN, cited("computed", CCS_RANDOM, -45.0), at_most(-10),
             "Keeping the 10 % of CIFAR-10 that are forgotten most costs at least 10 points more accuracy than a random 10 %."),
            ("stratified", STRATIFIED, cited("read", CCS, 7.04), at_least(2),
             "Keeping 10 % of CIFAR-10 over all counts but the highest (CCS) costs at least 2 points less than keeping a random 10 %."),
        )
    ),
    *(
        _pruning(
            f"T4-scarce-{suffix}",
            f"Pruning the least-forgotten {percent:g} % of the first {size:,} examples of {name} costs at least {margin:g} "
            f"point{'s' if margin > 1 else ''} more accuracy than a random {percent:g} %.",
            cited("from memory", "Sorscher et al. 2022: keep easy examples where data are scarce (stated without a number)"),
            at_most(-margin), percent, against="random", dataset=dataset, examples=size, kind="follow-up", direction="weakens",
            blind=False,  # Untrained networks were known to lose 8 points.
        )
        for suffix, dataset, size, name, percent, margin, _ in SCARCE
    ),
    _pruning(
        "T4-grand-start",
        "Pruning the 50 % of CIFAR-10 with the lowest GraND scores at initialization costs as much as a random 50 % (within 0.3 points).",
        cited("read", "Kirsch 2023 (stated without a number)"), between(-0.3, 0.3), 50.0, against="random",
        order="GraND after 0 epochs, lowest first", kind="follow-up", direction="weakens",
    ),
)  # fmt: skip

WORST_WINDOWS = tuple(
    Claim(
        id=id, statement=statement, **cited("computed", FIG_5_RIGHT, difference), unit="pp",
        table="pruning", where=WINDOWS, trial=TrainPruned, repetition_unit="seeds",
        without_controls={"F0-rankings-30": "the worst window is chosen by accuracy, not by its rank"}, needs=({"skipped_percent": ...},),
        measure=partial(measures.worst_window_loss, column), criterion=criterion,
    )
    for id, statement, difference, column, criterion in (
        ("F5", "Pruning the worst window of 10 % of CIFAR-10, chosen on other seeds, costs at least 0.3 points more than a random 10 %.",
         0.7, "below_random_pp", at_least(0.3)),
        ("F5-u", "Pruning the most-forgotten 10 % of CIFAR-10 costs less accuracy than pruning the worst window of 10 %.",
         0.35, "below_last_pp", above(0)),
    )
)  # fmt: skip

UNFORGETTABLE = tuple(
    claim
    for suffix, dataset, name, reported, low, high in (
        ("mnist", MNIST, "MNIST", cited("read", f"{SEC_4_1} (55,012 examples)", 91.7), 90, 93),
        ("permuted-mnist", "permuted mnist", "permuted MNIST", cited("read", f"{SEC_4_1} (45,181 examples)", 75.3), 72, 78),
        ("cifar10", "cifar10", "CIFAR-10", cited("read", f"{SEC_4_1} (15,628 examples)", 31.3), 28, 36),
        ("cifar100", "cifar100", "CIFAR-100", cited("from memory", f"{SEC_4_1} (3,809 examples)", 7.62), 6, 10),
    )
    for claim in (
        _unforgettable(
            id=f"F1-{suffix}", **reported, unit="% of examples",
            statement=f"{reported['paper']} % of the examples of {name} are learned and never forgotten in any of five training runs.",
            where={"dataset": dataset, "main_setting": True},
            measure=partial(measures.over_groups, "unforgettable_percent"),
            criterion=between(low, high), calibration=f"F1-calibration-{suffix}",
        ),
        _comparisons(
            id=f"F1-calibration-{suffix}", kind="control", **PROPOSED, unit="pp",
            statement=f"On {name}, a short schedule yields the paper's percentage of unforgettable examples (within 1.5 points).",
            where={"dataset": dataset[0] if dataset == MNIST else dataset, "comparison": "schedule", "reference_protocol": "paper"},
            needs=() if suffix == "cifar100" else ({},),  # no profile calibrates CIFAR-100
            measure=partial(only_value, "shift_pp", n="n"), criterion=between(-1.5, 1.5),
        ),
    )
)  # fmt: skip

UNFORGETTABLE_ORDER = tuple(
    _counts(
        id=f"F1-order-{suffix}", **reported, unit="pp",
        statement=f"In training runs of equal length, {names[0]} has a higher percentage of unforgettable examples than {names[1]}.",
        where={"dataset": (more, fewer), **CLEAN}, measure=partial(measures.unforgettable_difference, more, fewer), criterion=above(0),
    )
    for suffix, more, fewer, names, reported in (
        ("mnist", "mnist", "permuted mnist", ("MNIST", "permuted MNIST"), cited("read", DIFFERENCE, 16.4)),
        ("permuted-mnist", "permuted mnist", "cifar10", ("permuted MNIST", "CIFAR-10"), cited("read", DIFFERENCE, 44.0)),
        ("cifar10", "cifar10", "cifar100", ("CIFAR-10", "CIFAR-100"), cited("from memory", DIFFERENCE, 23.7)),
    )
)  # fmt: skip

CORRELATIONS = (
    _correlations(
        id="F2-pairs", kind="absolute", **cited("read", SEC_6, 0.892),
        statement="Forgetting counts of two CIFAR-10 training runs are correlated with r ≥ 0.85 (mean over pairs of runs).",
        where={"dataset": "cifar10", "kind": "pairs", "main_setting": True}, measure=measures.mean_correlation, criterion=at_least(0.85),
    ),
    _correlations(
        id="F2-sums", kind="absolute", **cited("read", SEC_6, 0.976),
        statement="Forgetting counts summed over five CIFAR-10 training runs are correlated with sums over five others (r ≥ 0.95, from "
        "pairs of runs by the Spearman–Brown formula).",
        where={"dataset": "cifar10", "kind": "pairs", "main_setting": True},
        measure=partial(measures.sum_correlation, 5), criterion=at_least(0.95),
    ),
    *(
        _correlations(
            id=f"F2-{suffix}", statement=f"Forgetting counts of two {name} training runs with different seeds are correlated (r ≥ 0.5).",
            **cited("read", f"{SEC_6} (a number for CIFAR-10 and 200 epochs only); the limit is {PROPOSAL}", correlation),
            where={"dataset": dataset, "kind": "pairs", "main_setting": True}, measure=measures.mean_correlation, criterion=at_least(0.5),
        )
        for suffix, dataset, name, correlation in (
            ("cifar10", FirstOf("cifar10", "cifar10 subset"), "CIFAR-10", 0.892), ("mnist", MNIST, "MNIST", None),
            ("permuted-mnist", "permuted mnist", "permuted MNIST", None),
        )
    ),
    _counts(
        id="F2b", kind="absolute", **cited("read", f"{SEC_6} and Fig. 7 left (stated without a number): 75 of 200 epochs"),
        statement="After three eighths of a CIFAR-10 training run, forgetting counts rank examples like those of the whole run (ρ ≥ 0.9).",
        unit="Spearman ρ", where={"dataset": CIFAR10, **CLEAN}, measure=partial(mean_over_seeds, "spearman_after_38_percent"),
        criterion=at_least(0.9),
    ),
    *(
        claim
        for suffix, column, relation, rho, level, effect in (
            ("margin", "spearman_margin", "have smaller margins", -0.74, between(-0.85, -0.65), below(-0.5)),
            ("first-learnt", "spearman_first_learned", "are first learned later", 0.56, between(0.4, 0.7), above(0.25)),
        )
        for claim in (
            _unforgettable(
                id=f"F2c-{suffix}-level", **cited("read", SEC_4_1, rho), unit="Spearman ρ",
                statement=f"Over five CIFAR-10 training runs, examples forgotten more often {relation} (ρ {level.low} to {level.high}).",
                where={"dataset": "cifar10", "main_setting": True}, measure=partial(measures.over_groups, column), criterion=level,
            ),
            _counts(
                id=f"F2c-{suffix}", **cited("read", SEC_4_1, rho), unit="Spearman ρ",
                statement=f"On CIFAR-10, examples that a training run forgets more often {relation}.",
                where={"dataset": CIFAR10, **CLEAN}, measure=partial(mean_over_seeds, column), criterion=effect,
            ),
        )
    ),
)  # fmt: skip

NOISE = (
    _counts(
        id="F7", **cited("read", f"{FIG_3} (stated without a number)"), unit="AUROC",
        statement="With 20 % of the labels of CIFAR-10 flipped, counts of at least 30 epochs separate these labels (AUROC ≥ 0.9).",
        where=NOISY, needs=MANY_PRESENTATIONS, measure=partial(measures.after_presentations, "auroc", 1.0), criterion=at_least(0.9),
    ),
    _counts(
        id="F7-unforgettable", **cited("read", FIG_3, 0.0), unit="% of wrong labels",
        statement="With 20 % of the labels of CIFAR-10 flipped, at most 1 % of these are unforgettable in a run of at least 30 epochs.",
        where=NOISY, needs=MANY_PRESENTATIONS, measure=partial(measures.after_presentations, "flipped_unforgettable_percent", 100.0),
        criterion=at_most(1),
    ),
    _counts(
        id="F8", paper_value_source="read", unit="events",
        statement="On CIFAR-10, the mean forgetting count increases with the pixel noise (standard deviations 0, 0.5, 1, 2, 10).",
        source=f"{PAPER}, Fig. 11, with the noise of the published code. That noise has mean 120 in one channel of every pixel, for every "
        "standard deviation, so 0.5 and 10 gray levels hardly differ. Issue 6 of the authors' repository reports that the figure cannot be "
        "reproduced with it",
        where={"dataset": "cifar10", "label_noise": 0.0, "main_setting": True}, measure=measures.smallest_rise, criterion=above(0),
    ),
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="F0-nothing", kind="control", **PROPOSED, unit="weights that differ",
        statement="Pruning 0 % of the training set yields the weights of plain training bit by bit, whether or not events are counted.",
        table="prune_nothing", trial=PruneNothing, measure=partial(largest, "weights_that_differ"), criterion=at_most(0),
        repetition_unit="exact", guards=(TrainPruned,),
    ),
    *PRUNING_CONTROLS,
    *COUNTING_CONTROLS,
    *UNFORGETTABLE,
    *UNFORGETTABLE_ORDER,
    *CORRELATIONS,
    *PRUNING,
    *WORST_WINDOWS,
    BY_ANOTHER_NETWORK,
    _comparisons(
        id="F6-small", **cited("read", f"{SEC_6} and Fig. 7 right (stated without a number); the limit is {PROPOSAL}"), unit="Spearman ρ",
        statement="Counts of one run of a four-layer network rank the examples of CIFAR-10 like one of the larger network (ρ ≥ 0.5).",
        where={"dataset": CIFAR10, "comparison": "network", "network": "mnist_cnn"},
        measure=partial(measures.mean_rank_correlation, "spearman"), criterion=at_least(0.5),
    ),
    *NOISE,
    BY_EL2N,
    *FOLLOW_UPS,
)  # fmt: skip
