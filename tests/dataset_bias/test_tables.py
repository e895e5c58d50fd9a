"""Tables and claims from made-up rows with known answers."""

import numpy as np
import pandas as pd
import pytest

from myths.dataset_bias import MYTH, claims, figures, sets
from myths.dataset_bias.trials import (
    ClassifyRandomParts,
    CrossDatasetEvaluation,
    CrossDatasetNegatives,
    LinearProbe,
    NameThatDataset,
    RecomputePublishedTables,
    TrainDatasetClassifier,
)
from myths.lab.claim import evaluate_claims
from myths.lab.report import style
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Context
from myths.lab.verdict import Verdict

K = len(sets.INDEPENDENT)


def curve(n, accuracy, k=K):
    return {
        "kind": "learning_curve",
        "n_per_set": n,
        "n_train": n * k,
        "n_test": 300 * k,
        "accuracy_percent": float(accuracy),
        "chance_percent": 100 / k,
        "svm_c": 1.0,
    }


def named(seed, curves, names=sets.INDEPENDENT, cells=(), **settings):
    sizes = tuple(n for n, _ in curves)
    trial = NameThatDataset(sets=names, train_sizes=sizes, seed=seed, **({"feature": "hog"} | settings))
    confusions = [{"kind": "confusion", "set": a, "predicted_set": b, "n_images": m, "n_images_of_set": total} for a, b, m, total in cells]
    return TrialRecord(trial, "ok", [*(curve(n, a, len(names)) for n, a in curves), *confusions])


def derived(*records):
    results = Results(list(records))
    return {name: table(results) for name, table in MYTH.tables.items()}


def verdicts(*records):
    return {j.claim.id: j for j in evaluate_claims(CLAIMS, derived(*records))}


CLAIMS = MYTH.claims
PARTS = {"n_images": 1000, "n_test": 300, "n_correct": 75}
NULL = [TrialRecord(ClassifyRandomParts(set=s, feature="hog", seed=seed), "ok",
                    [{"accuracy_percent": 25 + d, "chance_percent": 25.0, **PARTS}])
        for seed in range(4) for s, d in (("coil100", 1.0 - seed), ("scenes15", 1.1 * seed - 1.1))]  # fmt: skip


CAMERAS = [named(s, [(140, 20 + d)], sets.SAME_CAMERA) for s, d in enumerate((-0.5, 0, 0.5))]


def test_naming_above_chance_is_reproduced_if_the_nulls_are_at_chance():
    records = [named(seed, [(350, 44 + seed), (700, 48 + seed)]) for seed in range(5)]
    left = [named(s, [(700, 50 + s + k % 2)], sets.without(sets.INDEPENDENT, name)) for s in range(2)
            for k, name in enumerate(sets.INDEPENDENT)]  # fmt: skip
    found = verdicts(*records, *left, *NULL, *CAMERAS)
    assert found["N1"].verdict is Verdict.HELD
    ten = found["D1-ten"]
    assert (ten.verdict, ten.estimate.source_of_variation, ten.estimate.n) == (Verdict.REPRODUCED, "datasets", 10)
    assert ten.estimate.value == pytest.approx(100 * (50 - 10) / 90)
    assert (ten.protocol, ten.dataset) == ("reduced", "dataset_bias")
    assert verdicts(*records, *left[1:9], *NULL, *CAMERAS)["D1-ten"].verdict is Verdict.NOT_TESTED, "a dataset was never left out"
    assert verdicts(*records, *left, *NULL)["D1-ten"].verdict is Verdict.INCONCLUSIVE, "the null control of cameras was not run"
    assert found["D3-last"].estimate.value == pytest.approx(4.0)
    leaky = [
        TrialRecord(
            ClassifyRandomParts(set="coil100", feature="hog", seed=s),
            "ok",
            [{"accuracy_percent": 40.0 + s, "chance_percent": 25.0, **PARTS}],
        )
        for s in range(4)
    ]
    assert verdicts(*records, *left, *leaky, *CAMERAS)["D1-ten"].verdict is Verdict.INCONCLUSIVE


def test_photographs_are_named_at_chance_or_above_it():
    def photos(above):
        groups = [sets.PHOTOS, *(sets.without(sets.PHOTOS, name) for name in sets.PHOTOS)]
        return [
            named(s, [(700, 100 / len(g) + above + s + 0.01 * k)], g, transform="common format")
            for s in range(3)
            for k, g in enumerate(groups)
        ]

    assert verdicts(*photos(-1), *NULL, *CAMERAS)["D1"].verdict is Verdict.NOT_SEEN
    found = verdicts(*photos(40), *NULL, *CAMERAS)
    assert (found["D1"].verdict, found["T2-photo"].verdict) == (Verdict.REPRODUCED, Verdict.REPRODUCED)
    assert found["T2-photo"].estimate.value == pytest.approx(25 + 41, abs=0.05)


def test_one_split_alone_decides_nothing():
    assert verdicts(named(0, [(700, 48)], sets.WITH_CARS, subset="cars"))["D5"].verdict is Verdict.NOT_TESTED


def test_saturation_is_seen():
    sizes = (1, 2, 5, 10, 50, 100, 350, 700)
    guards = (*NULL, *CAMERAS)
    rising = verdicts(*(named(s, list(zip(sizes, (11, 12 + s, 13.5, 20, 25, 30, 40, 45 + s / 4), strict=True))) for s in range(3)), *guards)
    flat = verdicts(
        *(named(s, list(zip(sizes, (30, 45, 44.5, 44 + s / 3, 43.5, 43, 42, 38 - s / 4), strict=True))) for s in range(3)), *guards
    )
    assert (rising["D3-rank"].verdict, rising["D3-last"].verdict) == (Verdict.REPRODUCED, Verdict.REPRODUCED)
    assert (flat["D3-rank"].verdict, flat["D3-last"].verdict) == (Verdict.NOT_SEEN, Verdict.NOT_SEEN)
    assert rising["D3-rank"].estimate.high <= 1


def test_features_are_compared_split_by_split():
    features = {"hog": 50, "color thumbnail": 40, "gray thumbnail": 30}
    records = [named(seed, [(700, a + 10 * seed)], feature=f) for seed in range(3) for f, a in features.items()]
    found = verdicts(*records)
    for claim in ("D1-hog-color", "D1-color-gray"):
        assert (found[claim].estimate.value, found[claim].estimate.low) == pytest.approx((10, 10))
        assert found[claim].estimate.source_of_variation == "splits"


def test_the_lift_of_siblings_by_hand():
    cells = []
    for a in sets.ALL:
        for b in sets.ALL:
            # Each set: 85 right, one of 15 errors on each other; Caltech-101 gives all 15 to Caltech-256.
            m = 85 if a == b else 1
            if a == "caltech101" and a != b:
                m = 15 if b == "caltech256_10cls" else 0
            cells.append((a, b, m, 100))
    table = derived(named(0, [(700, 85)], sets.ALL, cells))["related_sets"].set_index("set")
    assert table.loc["caltech101", "ratio_to_uniform"] == pytest.approx(15)
    assert table.loc["pacs_photo", "ratio_to_uniform"] == pytest.approx(1)
    with_sibling = {name for family in sets.RELATED_SETS for name in family}
    errors_on_siblings = sum(15 if n == "caltech101" else len(next(f for f in sets.RELATED_SETS if n in f)) - 1 for n in with_sibling)
    expected = sum(len(next(f for f in sets.RELATED_SETS if n in f)) - 1 for n in with_sibling)
    assert table.loc["all", "ratio_to_uniform"] == pytest.approx(errors_on_siblings / expected)
    assert "stanford_cars" not in table.index


def test_what_survives_is_paired_by_split():
    records = [named(s, [(700, 50 + s)]) for s in range(3)] + [named(s, [(700, 30 + s / 2)], transform="common format") for s in range(3)]
    table = derived(*records)["preprocessing_effect"]
    assert table["retained_percent"].tolist() == pytest.approx([50, 50, 50])
    found = verdicts(*records)
    assert found["C1"].estimate.value == pytest.approx(50)
    assert found["Y1-hog"].estimate.value == pytest.approx(20.5)
    gone = derived(*records[:3], named(0, [(700, 45)], deduplicated=True))["preprocessing_effect"]
    assert gone[["transform", "retained_percent"]].to_numpy().tolist() == [["without near-duplicates", 87.5]]


def crossed(task, sizes, ap, seed, **settings):
    """Rows from a function of (train, test, n)."""
    names = sets.TASKS[task]
    rows = [{"train_set": a, "test_set": b, "n_per_class": n, "ap_percent": ap(i, j, n), "n_train": n, "n_test": 9, "n_classes": 2}
            for n in sizes for i, a in enumerate(names) for j, b in enumerate(names)]  # fmt: skip
    return TrialRecord(CrossDatasetEvaluation(task=task, train_sizes=sizes, seed=seed, **settings), "ok", rows)


def test_drops_home_and_market_value_by_hand():
    def ap(i, j, n):
        # A foreign image is worth a quarter of a native one: the curve is moved by log 4.
        return 40 + 10 * np.log2(n if i == j else n / 4)

    records = [crossed("pacs", (2, 4, 8, 16), lambda i, j, n, s=s: ap(i, j, n) + 1e-6 * (s - 1) * (i == j), s) for s in range(3)]
    found = derived(*records)
    row = found["cross_dataset_drop"].iloc[0]
    assert (row["self_percent"], row["mean_others_percent"], row["drop_percent"]) == pytest.approx((80, 60, 25))
    assert (row["better_in_domain_percent"], row["advantage_pp"]) == pytest.approx((100, 20))
    assert row["advantage_log_odds"] == pytest.approx(np.log(4) - np.log(1.5), abs=1e-4)  # odds of 80 and of 60 %
    assert found["in_domain_test"].iloc[0][["p_value", "n_permutations"]].tolist() == pytest.approx([1 / 24, 24])
    alpha = found["market_value"].pivot(index="source_set", columns="target_set", values="alpha")
    assert alpha.loc["pacs_photo", "pacs_photo"] == 1
    assert alpha.loc["pacs_photo", "pacs_sketch"] == pytest.approx(0.25)
    assert alpha.loc["basket", "pacs_sketch"] == pytest.approx((1 + 3 * 0.25) / 4)
    judged = verdicts(*records)
    assert judged["D6-pacs-home"].verdict is Verdict.INCONCLUSIVE, "without its null control"
    null = [crossed("pacs", (16,), lambda i, j, n, s=s: 50.0 + 0.1 * (s - 1) * (i == j), s, permuted=True) for s in range(3)]
    judged = verdicts(*records, *null)
    assert (judged["N3-pacs"].verdict, judged["N3-pacs"].estimate.value) == (Verdict.HELD, pytest.approx(0))
    for claim in ("D6-pacs", "D6-pacs-home"):
        assert judged[claim].verdict is Verdict.REPRODUCED, claim
    for claim, n in (("D6-pacs-sets", 4), ("D8-pacs", 12)):
        found = judged[claim].estimate
        assert (found.value, found.high, found.n) == (100, 100, n)
        assert found.low == pytest.approx(100 * 0.025 ** (1 / n)), "the exact interval of n of n"
        assert judged[claim].verdict is Verdict.INCONCLUSIVE
    leaky = [crossed("pacs", (16,), lambda i, j, n: 50 + 9 * (i == j), s, permuted=True) for s in range(3)]
    assert verdicts(*records, *leaky)["D6-pacs-home"].verdict is Verdict.INCONCLUSIVE
    assert judged["D6-office-caltech"].verdict is Verdict.NOT_TESTED


def test_sets_without_bias_do_not_reproduce():
    def ap(i, j, n):
        return 50 + 5 * np.log2(n) + 3 * j  # easy and hard test sets, no home

    judged = verdicts(
        *(crossed("office-caltech", (2, 4, 8), lambda i, j, n, s=s: ap(i, j, n) + (s if i == j else -s), s) for s in range(3)),
        *(crossed("office-caltech", (8,), lambda i, j, n, s=s: ap(i, j, n) + 0.1 * (s - 1) * (i == j), s, permuted=True) for s in range(3)),
    )
    assert judged["D6-office-caltech"].verdict is Verdict.NOT_SEEN
    assert judged["D6-office-caltech-home"].verdict is not Verdict.REPRODUCED


def test_negatives_of_all_sets_are_compared_with_the_own():
    rows = [
        {"set": s, "ap_own_negatives_percent": 80.0, "ap_all_negatives_percent": a, "n_positive": 9, "n_negative": 9}
        for s, a in (("caltech101", 60.0), ("uiuc_cars", 80.0))
    ]
    records = [TrialRecord(CrossDatasetNegatives(task="cars", seed=seed), "ok", rows) for seed in range(2)]
    assert verdicts(*records)["D7-cars"].estimate.value == pytest.approx(12.5)


def test_networks_and_their_probes():
    classifier = TrainDatasetClassifier(sets=sets.INDEPENDENT, network="resnet18", transform="common format")
    rows = {"n_per_set": 700, "n_test": 3000, "accuracy_percent": 45.0, "chance_percent": 10.0, "train_loss": 0.1, "train_seconds": 1.0}
    records = [
        TrialRecord(TrainDatasetClassifier(sets=classifier.sets, network="resnet18", transform="common format", seed=s), "ok", [rows])
        for s in range(2)
    ]
    probe = {"n_classes": 7, "n_train": 9, "n_test": 9, "chance_percent": 100 / 7}
    for s in range(2):
        for what, a in (("trained", 60.0), ("random", 50.0), ("pixels", 40.0)):
            trial = LinearProbe(classifier=classifier, task="pacs", features=what, seed=s)
            records.append(TrialRecord(trial, "ok", [probe | {"accuracy_percent": a}]))
    found = verdicts(*records)
    assert found["Y1-network"].estimate.value == 35
    assert found["Y2"].estimate.value == 10


def test_the_misprint_is_the_only_one_of_table_1():
    trial = RecomputePublishedTables()
    found = verdicts(TrialRecord(trial, "ok", trial.run(Context(trial)).rows))
    assert found["X2"].estimate.value == pytest.approx(38.07, abs=0.01)
    assert (found["X2"].verdict, found["X2-others"].verdict) == (Verdict.REPRODUCED, Verdict.HELD)
    assert found["X2"].protocol == "recomputed"


def test_the_simulated_cameras_conclude_nothing():
    records = [named(s, [(140, 40 + s)], ("camera 1", "camera 2", "camera 3", "camera 4", "camera 5")) for s in range(3)]
    assert verdicts(*records)["D1-cameras"].verdict is Verdict.ILLUSTRATION


def test_accuracy_has_the_interval_over_splits():
    from scipy import stats

    values = [41.0, 44.0, 46.0]
    row = derived(*(named(s, [(700, a)]) for s, a in enumerate(values)))["accuracy"].iloc[0]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (row["accuracy_percent"], row["accuracy_low_percent"], row["accuracy_high_percent"]) == pytest.approx(
        (np.mean(values), low, high)
    )


def test_confused_sets_become_neighbors():
    percent = np.array([[90.0, 0, 10, 0], [0, 80, 0, 20], [15, 0, 85, 0], [0, 25, 0, 75]])
    order = figures.clustered(percent)
    assert abs(order.index(0) - order.index(2)) == 1
    assert abs(order.index(1) - order.index(3)) == 1


def test_every_figure_is_drawn_from_real_tables_and_from_none():
    cells = [(a, b, 90 if a == b else 1, 100) for a in sets.INDEPENDENT for b in sets.INDEPENDENT]
    records = [named(s, [(1, 12), (700, 48 + s)], cells=cells) for s in range(2)]
    records += [named(s, [(700, 40 + s)], transform="common format") for s in range(2)]
    records += [crossed("pacs", (2, 4), lambda i, j, n: 30 + 10 * np.log2(n) + 9 * (i == j), s) for s in range(2)]
    trial = RecomputePublishedTables()
    full = derived(*records, TrialRecord(trial, "ok", trial.run(Context(trial)).rows))
    empty = {name: pd.DataFrame() for name in MYTH.tables}
    for name, figure in MYTH.figures.items():
        drawn = figure(full)
        assert drawn is not None, name
        assert style.svg(drawn).startswith("<svg")
        assert figure(empty) is None


def test_pictures_and_tables_call_lists_the_same():
    assert sets.group_name(sets.INDEPENDENT) == "independent"
    assert sets.group_name(sets.WITH_CARS, "cars") == "cars"
    assert sets.group_name(("mine", "theirs")) == "mine, theirs"
    assert claims.HOG["set_group"] == "independent"
