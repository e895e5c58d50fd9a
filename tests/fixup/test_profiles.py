"""What the profiles run: the whole ``gpu`` profile rehearsed on tiny data, its claims measured, and mixtures kept apart."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, ttest_1samp

from myths.fixup import MYTH, figures, measures, tables
from myths.fixup.profiles import trials
from myths.fixup.trials import TrainOneEpoch
from myths.fixup.trials.image_training import ImageTraining
from myths.fixup.trials.translation import TrainTransformer
from myths.fixup.trials.update import MeasureUpdate
from myths.lab.analysis import analyze, write
from myths.lab.data import prepared
from myths.lab.execution import runner
from myths.lab.measures import mean_over_seeds
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Trial


def tiny(trial):
    """The same trial with few images, thin layers and two steps."""
    if isinstance(trial, MeasureUpdate):
        return dataclasses.replace(trial, width=2, examples_per_step=8, depth=min(trial.depth, 76))
    if isinstance(trial, ImageTraining):
        depth = 880 if trial.depth == 1000 else trial.depth  # which stands for 1,000 all the same
        return dataclasses.replace(trial, depth=depth, width=2, train_examples=0, batch_size=12, epochs=1.0)
    assert isinstance(trial, TrainTransformer)
    return dataclasses.replace(TrainTransformer.test_instance(), normalization=trial.normalization, seed=trial.seed)


def depth_of(trial):
    return getattr(trial, "depth", 0)


def save_tiny_set():
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", 24), ("test", 20)):
        labels = (np.arange(n) % 10).astype(np.uint8)
        noise = rng.integers(0, 80, size=(n, 8, 8, 3))
        arrays |= {f"y_{split}": labels, f"x_{split}": (noise + 17 * labels.reshape(-1, 1, 1, 1)).astype(np.uint8)}
    prepared.save("cifar10", arrays, source="test", note="tiny")


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    """The gpu profile, every trial of it, run on tiny data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYTHS_DATA", str(tmp_path_factory.mktemp("data")))
        save_tiny_set()
        run = RunFolder(tmp_path_factory.mktemp("runs") / "rehearsal")
        store = run.store(MYTH)
        listed = {t.id: t for t in map(tiny, trials("gpu", 2)) if depth_of(t) < 5000}
        done = runner.run(
            runner.plan(listed.values(), store, prepared.sha256_of), store, runner.Invocation("cpu", prepared.sha256_of, "test")
        )
        assert done.failed == []
        found = analyze(MYTH, run)
        write(found)
        yield found


def test_the_gpu_profile_measures_every_claim_that_it_is_to_decide(rehearsed):
    measured = {j.claim.id for j in rehearsed.claim_results if j.estimate is not None}
    needed = {c.id for c in MYTH.claims if c.table in ("one_epoch", "difference_from_bn", "updates", "translations")}
    # 10,000 layers are left out of the rehearsal; the rest the profile leaves to "paper", or to nobody.
    assert needed - measured == {"U1-level-500", "U1-level-10000", "U0-bn-56", "U1-vs-bn-56", "U2-gap-mixup", "U4-neither", "U4-iwslt"}
    assert not {"U3", "U5"} & measured
    assert {j.claim.id for j in rehearsed.claim_results if j.primary} == {"U1-trains-1000", "U2-gap"}


def test_controls_hold_in_the_rehearsal(rehearsed):
    verdicts = {j.claim.id: str(j.verdict) for j in rehearsed.claim_results}
    assert verdicts["U0-zero"] == "held"


def test_every_figure_is_drawn(rehearsed):
    for name, draw in MYTH.figures.items():
        assert draw(rehearsed.tables) is not None, name
    empty = {name: pd.DataFrame() for name in MYTH.tables}
    assert all(draw(empty) is None for draw in MYTH.figures.values())
    assert figures.depth({"depth_sweep": rehearsed.tables["depth_sweep"].iloc[:1]}) is None


def test_ten_thousand_layers_are_in_the_profile_paper():
    assert not [t for t in trials("gpu") if depth_of(t) > 1000]
    assert [t.protocol for t in trials("paper") if depth_of(t) >= 9998].count("reduced") == 1
    assert {t.protocol for t in trials("paper") if depth_of(t) >= 9998} == {"paper", "reduced"}


@pytest.mark.parametrize("profile", ["quick", "laptop", "gpu", "paper"])
def test_every_depth_is_possible_and_batches_fit_their_images(profile):
    for trial in trials(profile):
        assert isinstance(trial, TrainTransformer) or trial.branches >= 3
        if isinstance(trial, ImageTraining):
            assert trial.batch_size <= (trial.train_examples or 1197)


# --- tables and measures on rows made by hand --------------------------------------------------------


def row_of(trial, right, n=1000, diverged_at=None):
    row = {"kind": "summary", "n_correct": right, "n_test": n, "test_accuracy_percent": 100 * right / n, "n_train": 100}
    row |= {"seconds_per_step": 0.1, "blocks_per_segment": 0, "parameters": 7, "branches": trial.branches, "diverged_at": diverged_at}
    return TrialRecord(trial, "ok", [row], peak_memory_bytes=5)


def epochs(depth, method, *rights, **settings):
    return [row_of(TrainOneEpoch(depth=depth, method=method, seed=i, **settings), right) for i, right in enumerate(rights)]


def test_claims_speak_of_one_setting_a_depth_and_of_stand_ins_only_alone():
    stand_in = epochs(112, "fixup", 999, dataset="digits")
    thin = epochs(112, "fixup", 300, 310, width=8) + epochs(112, "batch-norm", 350, 330, width=8)
    alone = epochs(112, "fixup", 400, image_size=8)
    table = tables.one_epoch(Results([*stand_in, *thin, *alone]))
    assert sorted(table[table["main_setting"]]["n_correct"]) == [300, 310, 330, 350]
    paper = epochs(112, "fixup", 480)
    table = tables.one_epoch(Results([*stand_in, *thin, *alone, *paper]))
    assert list(table[table["main_setting"]]["n_correct"]) == [480]
    table = tables.one_epoch(Results(stand_in))
    assert list(table[table["main_setting"]]["n_correct"]) == [999]


def test_other_learning_rates_are_in_the_sensitivity_and_not_in_the_sweep():
    records = [r for rate in (0.01, 0.1, 1.0) for r in epochs(22, "fixup", int(1000 * rate) // 2, learning_rate=rate)]
    results = Results(records + epochs(22, "he", 100))
    assert list(tables.depth_sweep(results)["test_accuracy_percent"]) == [5.0, 10.0]
    grid = tables.sensitivity(results)
    assert list(grid["learning_rate"]) == [0.01, 0.1, 1.0]
    assert set(grid["method"]) == {"fixup"}
    nearest = tables.one_epoch(results)
    assert set(nearest[nearest["main_setting"]]["learning_rate"]) == {0.1}


def test_differences_are_paired_by_seed():
    results = Results(epochs(22, "fixup", 300, 320, 340) + epochs(22, "batch-norm", 310, 350))
    pairs = tables.difference_from_bn(results)
    assert sorted(pairs["difference_from_bn_pp"]) == pytest.approx([-3.0, -1.0])
    estimate = mean_over_seeds("difference_from_bn_pp", pairs)
    assert (estimate.value, estimate.n, estimate.source_of_variation) == (pytest.approx(-2.0), 2, "seeds")


def test_a_deep_network_is_compared_with_the_shallow_one_of_its_seed_and_setting():
    shallow, deep = epochs(22, "fixup", 300, 500), epochs(1000, "fixup", 250, 300)
    other = row_of(TrainOneEpoch(depth=1000, method="skipinit", image_size=8), 900, 1000)  # no shallow network in its setting
    pairs = tables.share_of_shallow(Results([*shallow, *deep, other]))
    assert set(pairs["method"]) == {"fixup"}
    deep_rows = pairs[pairs["nominal_depth"] == 1000].sort_values("seed")
    assert list(deep_rows["share_of_shallow_percent"]) == pytest.approx([75.0, 50.0])  # (25 - 10) / (30 - 10), (30 - 10) / (50 - 10)
    assert list(deep_rows["shallow_accuracy_percent"]) == pytest.approx([30.0, 50.0])
    assert list(pairs[pairs["nominal_depth"] == 20]["share_of_shallow_percent"]) == pytest.approx([100.0, 100.0])
    assert tables.share_of_shallow(Results(deep)).empty


def test_every_depth_of_the_profile_paper_has_its_shallow_network():
    """At 10,000 layers the paper's batch is smaller, and 22 layers with that batch are no protocol of the paper."""
    planned = [t for t in MYTH.trials("paper", None, ()) if isinstance(t, TrainOneEpoch) and t.learning_rate == 0.1]
    records = [row_of(trial, 400, 1000) for trial in planned]
    pairs = tables.share_of_shallow(Results(records))
    main = pairs[pairs["main_setting"] & (pairs["method"] == "fixup")]
    main = main[main["nominal_depth"].isin([20, 110, 1000, 10_000])]
    assert len(set(main["nominal_depth"])) == 4
    assert set(main["architecture"]) == {"wide-resnet"}
    assert main.groupby("nominal_depth")["seed"].nunique().min() >= 3
    reversed_ = tables.share_of_shallow(Results(records[::-1]))
    deep = reversed_[reversed_["main_setting"] & (reversed_["nominal_depth"] == 1000)]
    assert set(deep["architecture"]) == {"wide-resnet"}


def test_failures_are_counts_with_exact_intervals_over_seeds():
    rows = pd.DataFrame({"test_accuracy_percent": [9.0, 40.0, 14.9, 15.0], "diverged_at": [np.nan, 3.0, np.nan, np.nan]})
    failed = measures.failures_percent(rows)
    assert (failed.value, failed.n, failed.source_of_variation) == (75.0, 4, "seeds")
    interval = binomtest(3, 4).proportion_ci(method="exact")
    assert (failed.low, failed.high) == pytest.approx((100 * interval.low, 100 * interval.high))
    assert measures.successes_percent(rows).value == 25.0
    assert measures.failures_percent(rows.iloc[:1].loc[[0] * 6]).low > 50  # six of six decide "more than half", five do not
    assert measures.failures_percent(rows.iloc[:1].loc[[0] * 5]).low < 50


def test_rates_of_divergence_differ_by_exact_intervals_that_hold_together():
    def rows(diverged, n=32):
        fixup = pd.DataFrame({"method": "fixup", "diverged_at": [1.0] * diverged + [np.nan] * (n - diverged)})
        return pd.concat([fixup, pd.DataFrame({"method": "batch-norm", "diverged_at": [np.nan] * n})])

    (claim,) = (c for c in MYTH.claims if c.id == "T5-rates")
    fixup, norm = (binomtest(k, 32).proportion_ci(0.975, "exact") for k in (20, 0))
    found = claim.measure(rows(20))
    assert (found.value, found.low, found.high) == pytest.approx((62.5, 100 * (fixup.low - norm.high), 100 * (fixup.high - norm.low)))
    assert [claim.criterion.place(claim.measure(rows(k))) for k in (0, 8, 20, 32)] == ["outside", "straddles", "inside", "inside"]
    assert claim.criterion.place(claim.measure(rows(5, 5))) == "straddles"
    assert claim.measure(rows(20)[lambda t: t["method"] == "fixup"]) is None


def test_every_setting_is_above_a_limit_only_if_every_interval_is():
    def rows(*accuracies):
        settings = [(*[i] * len(tables.SETTING), seed, each) for i, group in enumerate(accuracies) for seed, each in enumerate(group)]
        return pd.DataFrame(settings, columns=[*tables.SETTING, "seed", "test_accuracy_percent"])

    def interval(values, confidence=0.95):
        return ttest_1samp(values, 0).confidence_interval(confidence)

    calm, variable = [28.0, 29.0, 30.0], [28.0, 33.0, 30.0]
    found = measures.lowest_accuracy(rows(calm, variable))
    assert (found.value, found.n) == (29, 3)
    assert found.low == pytest.approx(interval(variable).low)
    assert found.low < interval(calm).low
    assert found.high == pytest.approx(interval(calm, 0.975).high)
    assert measures.lowest_accuracy(rows([28.0])) is None


def test_steps_of_a_seed_are_averaged_before_seeds_are():
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "slope": [0.0, 0.2, 0.2, np.nan]})
    estimate = mean_over_seeds("slope", rows)
    assert (estimate.value, estimate.n) == (pytest.approx(0.15), 2)
    assert mean_over_seeds("slope", rows.iloc[:2]) is None
    assert mean_over_seeds("other", rows) is None


def test_own_data_are_trained_on_alone():
    listed = trials("quick", None, ("mine",))
    assert {t.dataset for t in listed} == {"mine"}
    assert all(isinstance(t, Trial) for t in listed)
