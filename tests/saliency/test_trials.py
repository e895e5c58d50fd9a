"""The trials as a run makes them: the gpu profile rehearsed small, the tables and contrasts made of it, photographs in their formats."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy import stats

from myths.lab.claim import control_ids
from myths.lab.data import prepared
from myths.lab.errors import UsageError
from myths.lab.estimate import mean_of_shares
from myths.lab.execution import runner, selection
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Context
from myths.saliency import MYTH, figures, pictures
from myths.saliency.attack_series import (
    AttackSeries,
    hodges_lehmann,
    lens_gain,
    paired,
    paired_rescaled,
    random_minus_attack,
    random_minus_attack_by_lens,
    rescaled,
    robuster_than_all,
    unpaired,
    untouched_by_one,
)
from myths.saliency.digitized import digitized_rows
from myths.saliency.imagenet import imagenet_sample, imagenette
from myths.saliency.names import IMAGENET_SAMPLE, UNTRAINED
from myths.saliency.profiles import trials
from myths.saliency.trials import AttackImages, ChangeImages, MeasureCurvature, MeasureInfluence, RandomizeParameters
from myths.saliency.trials.networks import EvaluatePretrained, TrainNetwork, load_explained_model, reduced
from myths.saliency.trials.on_network import TEST_NETWORK


def small(trial):
    """The same trial on a few pixels, with a network that has hardly been trained."""
    if isinstance(trial, EvaluatePretrained):
        return EvaluatePretrained(weights=UNTRAINED)
    if isinstance(trial, TrainNetwork):
        return dataclasses.replace(
            trial,
            dataset="shapes",
            epochs=1.0,
            train_examples=192,
            batch_size=32,
            learning_rate=0.05,
            precision="fp32",
            network="resnet8" if trial.dataset == "imagenette" else "small_cnn",
        )
    short = {"images": 4 if isinstance(trial.network, EvaluatePretrained) else 8, "network": small(trial.network)}
    if isinstance(trial, AttackImages):
        short |= {
            "k": 20,
            "n_iterations": 2,
            "step_size": 2.0,
            "eval_interval": 1,
            "attack_n_steps": 2,
            "n_steps": 3,
            "epsilons": (2.0, 8.0),
        }
        short |= {"beta": short["network"].attack_beta} if isinstance(trial.network, EvaluatePretrained) else {}
        short |= {"image_size": 12} if trial.image_size else {}
    if isinstance(trial, RandomizeParameters | ChangeImages):
        short |= {"k": 20, "n_steps": 2}
    if isinstance(trial, MeasureCurvature):
        short |= {"k": 20}
    if isinstance(trial, MeasureInfluence):
        short |= {"classes": (0, 2), "n_train": 60, "images": 4}
    return dataclasses.replace(trial, **short)


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """Every kind of trial of the gpu profile, run once."""
    listed = [t for t in trials("gpu", 1) if getattr(t, "beta", 0) != 100.0]
    run = RunFolder(tmp_path_factory.mktemp("run") / "cpu-gpu")
    plan = runner.plan(list({t.id: t for t in map(small, listed)}.values()), run.store(MYTH), prepared.sha256_of)
    assert runner.run(plan, run.store(MYTH), runner.Invocation("cpu", prepared.sha256_of, "test")).failed == []
    return run


def test_the_gpu_profile_rehearsed(rehearsal):
    store = rehearsal.store(MYTH)
    results = Results(store.records)
    tables = {name: table(results) for name, table in MYTH.tables.items()}
    assert {name for name, table in tables.items() if table.empty} == {"user_images"}
    attacks = tables["attacks"]
    assert set(attacks["attack"]) == {"random", "random-walk", "top-k", "mass-center", "targeted"}
    assert {"integrated-gradients of the logit", "grad-cam", "smoothgrad"} <= set(attacks["method"])
    zero = attacks[attacks["epsilon"] == 0]
    assert (zero["min_intersection"] == 1).all()
    assert (zero["max_linf_levels"] == 0).all()
    assert (attacks[attacks["attack"] != "random"]["label_kept_percent"] == 100).all()
    assert (attacks["max_linf_levels"] <= attacks["epsilon"] + 1e-3).all()
    assert set(tables["differences"]["comparison"]) >= {
        "random minus attack",
        "random minus attack, LENS",
        "integrated gradients minus best other",
        "LENS gain",
        "defended minus standard",
        "defended minus standard, beyond the random walk",
        "reduced minus full size",
    }
    assert set(tables["everyday_differences"]["comparison"]) == {
        "all changes",
        "all changes, LENS",
        "Grad-CAM minus other",
        "geometric minus photometric",
    }
    assert set(tables["differences"]["defense"]) == {"none", "adversarial", "softplus 2"}
    for figure in (*figures_of(tables), pictures.example_images(tables, store)):
        assert figure is not None


def figures_of(tables):
    return [
        getattr(figures, name)(tables)
        for name in ("intersection", "rank_correlation", "center_shift", "defenses", "gradient_change", "parameter_randomization")
    ]


def test_photographs_are_drawn_by_the_protocol_nearest_to_the_papers(rehearsal):
    attacks = MYTH.tables["attacks"](Results(rehearsal.store(MYTH).records))
    assert figures.imagenet_sample({"attacks": attacks}) is None
    row = attacks.query("network == 'untrained' and method == 'gradient' and attack == 'top-k' and epsilon == 8").iloc[:1]
    line = row.assign(dataset=IMAGENET_SAMPLE, intersection_low=0.0, intersection_high=1.0)
    here = pd.concat([line.assign(protocol="reduced", intersection=0.6), line.assign(protocol="paper", intersection=0.1)])
    figure = figures.imagenet_sample({"attacks": pd.concat([attacks, here])})
    (ours,) = (drawn for ax in figure.axes for drawn in ax.lines if drawn.get_label() == "top k")
    np.testing.assert_allclose(ours.get_ydata(), [0.1])


def test_per_image_rows_give_the_table_again(rehearsal):
    """Means and intervals follow from the lists over images that the trials store."""
    results = Results(rehearsal.store(MYTH).records)
    trial, record = next(
        (t, r) for t, r in results.of(AttackImages) if (t.method, t.attack, t.network.network) == ("deeplift", "top-k", "small_cnn")
    )
    row = next(row for row in record.rows if row["kind"] == "budget" and row["epsilon"] == 8)
    line = MYTH.tables["attacks"](results).query(
        "network == 'small_cnn' and method == 'deeplift' and attack == 'top-k' and epsilon == 8"
        f" and network_seed == {trial.network.seed} and defense == 'none'"
    )
    kept = np.array(row["label_kept"])
    shared, correlation = (np.array(row[name])[kept] for name in ("intersection", "spearman"))
    found = line.to_dict("records")[0]
    assert found["intersection"] == pytest.approx(shared.mean())
    assert (found["n_untouched"], found["touched"]) == ((shared == 1).sum(), pytest.approx(shared[shared < 1].mean()))
    ends = stats.t.interval(0.95, len(correlation) - 1, correlation.mean(), stats.sem(correlation))
    np.testing.assert_allclose([found["spearman_low"], found["spearman_high"]], np.clip(ends, -1, 1))
    assert len(row["image"]) == len(row["ssim"]) == trial.images


def test_images_without_a_map_are_counted_apart_in_every_table(rehearsal):
    """One image of every trial has lost its map: it counts in ``no_map`` and in no mean."""
    records = []
    for record in rehearsal.store(MYTH).records:
        rows = [dict(row) for row in record.rows]
        for row in rows:
            for name in ("intersection", "lens_recall", "lens_precision", "spearman", "center_shift_px", "ssim", "region_after"):
                if isinstance(row.get(name), list):
                    row[name] = [None, *row[name][1:]]
            for name in ("null_intersection", "null_lens_recall"):
                if isinstance(row.get(name), list):
                    row[name] = [None, *row[name][1:]]
        records.append(dataclasses.replace(record, rows=rows))
    before, after = (Results(r) for r in (rehearsal.store(MYTH).records, records))
    attacks, fewer = (MYTH.tables["attacks"](results) for results in (before, after))
    lost = fewer["n_without_map"] - attacks["n_without_map"]  # some of these networks, hardly trained, have empty maps of their own
    assert set(lost) <= {0, 1}
    assert lost.mean() > 0.9
    sure = attacks["label_kept_percent"] == 100
    assert (fewer["n"][sure] == (attacks["n"] - lost)[sure]).all()
    assert (MYTH.tables["parameter_randomization"](after)["n_without_map"] >= 1).all()
    contrasts = MYTH.tables["differences"](after)
    assert contrasts["value"].notna().all()
    assert set(contrasts["comparison"]) == set(MYTH.tables["differences"](before)["comparison"])
    for name in ("metric_agreement", "curvature", "completeness_error"):
        assert len(MYTH.tables[name](after))


# --- contrasts -------------------------------------------------------------------------------------


def series(values, kept=None, lens=None, other=0.1, other_lens=0.5, images=None):
    values = np.array(values, dtype=float)
    near = values if lens is None else np.array(lens, dtype=float)
    n = len(values)
    kept = np.ones(n, dtype=bool) if kept is None else np.array(kept)
    null = {"intersection": np.full(n, other), "lens_recall": np.full(n, other_lens)}
    images = np.arange(n) if images is None else np.array(images)
    return AttackSeries(images, {"intersection": values, "lens_recall": near, "center_shift_px": values}, kept, null, {})


def test_paired_is_the_t_interval_of_differences_over_images_that_both_keep():
    a, b = series([0.5, 0.9, 0.4, 0.8], [True, True, True, False]), series([0.1, 0.2, 0.3, 0.0])
    found = paired(a, b, "intersection")
    expected = stats.ttest_rel([0.5, 0.9, 0.4], [0.1, 0.2, 0.3]).confidence_interval()
    assert found.n == 3
    np.testing.assert_allclose([found.low, found.high], expected)


def test_of_series_of_different_length_the_images_that_both_have_are_compared():
    few, many = series([0.5, 0.9, 0.4], images=[70, 3, 9]), series([0.0, 0.1, 0.2, 0.3], [True, True, False, True], images=[8, 70, 9, 3])
    found = paired(few, many, "intersection")
    assert (found.n, found.value) == (2, pytest.approx(((0.5 - 0.1) + (0.9 - 0.3)) / 2))
    assert paired(few, series([1.0, 1.0], images=[70, 4]), "intersection") is None


def test_what_an_attack_changes_beyond_noise_has_an_interval_with_room_for_failures():
    """One of 64 attacks fails: the distances of an exact and of a t interval from their estimates, squared and added."""
    rng = np.random.default_rng(0)
    noise, attack = rng.uniform(0.1, 0.3, 64), rng.uniform(0, 0.05, 64)
    attack[5] = 1
    found = random_minus_attack(series(noise), series(attack))
    others = np.delete(noise - attack, 5)
    low, high = stats.t.interval(0.95, 62, others.mean(), stats.sem(others))
    seen, unseen = (stats.binomtest(k, 64).proportion_ci() for k in (1, 0))
    failure, walk = others.mean() - (noise[5] - 1), 1 - others.mean()
    below = np.hypot(63 / 64 * (others.mean() - low), failure * (seen.high - 1 / 64))
    above = np.sqrt((63 / 64 * (high - others.mean())) ** 2 + (failure * (1 / 64 - seen.low)) ** 2 + (walk * unseen.high) ** 2)
    assert (found.value, found.n) == (pytest.approx((noise - attack).mean()), 64)
    assert (found.low, found.high) == (pytest.approx(found.value - below), pytest.approx(found.value + above))
    assert random_minus_attack(series(noise[:1]), series(attack[:1])) is None


def test_what_an_attack_changes_beyond_noise_by_lens_is_measured_from_the_maps_of_other_images():
    """The rescaled values of both, one minus the other: the map of another image has 0.5."""
    lens, attacked = np.full(20, 0.8) + np.arange(20) / 200, np.full(20, 0.6)
    found = random_minus_attack_by_lens(series(np.zeros(20), lens=lens), series(np.ones(20), lens=attacked))
    assert found.value == pytest.approx(rescaled(lens.mean(), 0.5) - rescaled(0.6, 0.5))
    raw = random_minus_attack(series(lens), series(attacked))
    assert (found.low, found.high, found.n) == (pytest.approx(2 * raw.low), pytest.approx(2 * raw.high), 20)
    assert random_minus_attack_by_lens(series([0.1]), series([0.0])) is None


def test_rare_failures_are_covered_also_where_none_is_seen():
    """With one failure in 64 images the t interval lies above the true mean in 7 % of the samples."""
    rng = np.random.default_rng(1)
    above, above_by_t = 0, 0
    true = 63 / 64 * 0.2 + 1 / 64 * (0.2 - 1)
    for _ in range(400):
        noise, attack = rng.normal(0.2, 0.05, 64), np.where(rng.random(64) < 1 / 64, 1.0, 0.0)
        above += random_minus_attack(series(noise), series(attack)).low > true
        above_by_t += paired(series(noise), series(attack), "intersection").low > true
    assert above <= 0.025 * 400 < above_by_t


def test_unpaired_is_welchs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, 30), rng.normal(0, 3, 20)
    found = unpaired(a, b)
    np.testing.assert_allclose([found.low, found.high], stats.ttest_ind(a, b, equal_var=False).confidence_interval())
    assert unpaired(np.ones(3), np.zeros(3)).low == 1


@pytest.mark.parametrize("n", [6, 13, 40])
def test_the_interval_of_hodges_and_lehmann_is_where_wilcoxons_test_turns(n):
    """scipy's exact test rejects a shift just outside the interval and none just inside."""
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    found = hodges_lehmann(differences)
    for end, outward in ((found.low, -1e-9), (found.high, 1e-9)):
        p_outside, p_inside = (stats.wilcoxon(differences - end - shift, method="exact").pvalue for shift in (outward, -outward))
        assert p_outside <= 0.05 < p_inside
    assert hodges_lehmann(differences[:5]) is None


def test_one_method_above_each_of_two_where_neither_attack_failed():
    rng = np.random.default_rng(0)
    ig, gradient, deeplift = (rng.normal(mean, 0.05, 100) for mean in (0.5, 0.2, 0.3))
    found = robuster_than_all(series(ig), (series(gradient), series(deeplift)))
    one = hodges_lehmann(ig - deeplift, 0.975)
    assert (found.value, found.low) == (one.value, one.low)
    assert found.n == 100
    failed = np.where(np.arange(100) < 10, 1.0, deeplift)
    assert robuster_than_all(series(ig), (series(gradient), series(failed))).value == pytest.approx(found.value, abs=0.02)
    assert robuster_than_all(series(ig), (series(gradient), series(failed))).n == 90


def test_attacks_that_fail_on_other_images_are_compared_by_mcnemars_test():
    """The share is significantly above one half exactly if the exact binomial test of the discordant images says so."""
    ig, gradient, deeplift = np.full((3, 40), 0.1)
    ig[:12], gradient[:2], deeplift[11:14] = 1, 1, 1
    found = untouched_by_one(series(ig), (series(gradient), series(deeplift)))
    assert (found.value, found.n) == (11 / 13, 10)
    worst = stats.binomtest(11, 13).proportion_ci(0.975)
    assert found.low == pytest.approx(worst.low)
    assert (found.low > 0.5) == (stats.binomtest(11, 13, alternative="greater").pvalue < 0.0125)
    assert untouched_by_one(series(ig), (series(gradient), series(ig))) is None


def test_sizes_are_compared_where_another_images_map_counts_nothing():
    small, large = series([0.4, 0.55, 0.7], other=0.1, images=[1, 2, 3]), series([0.64, 0.52, 0.9], other=0.2, images=[3, 2, 7])
    expected = np.array([(0.55 - 0.1) / 0.9 - (0.52 - 0.2) / 0.8, (0.7 - 0.1) / 0.9 - (0.64 - 0.2) / 0.8])
    found = paired_rescaled(small, large)
    assert (found.value, found.n) == (pytest.approx(expected.mean()), 2)


def test_locality_takes_off_what_another_images_map_has():
    """LENS that is as near to its own chance as the intersection is to its own says nothing."""
    rng = np.random.default_rng(0)
    same = rng.uniform(0.3, 0.5, 80)
    by_chance = 0.5 + (same - 0.1) / 0.9 * 0.5
    assert lens_gain(series(same, lens=by_chance)).value == pytest.approx(0, abs=1e-9)
    assert lens_gain(series(same, lens=np.full(80, 0.95))).low > 0.3


# --- trials that attack different images -----------------------------------------------------------


def shard(images, shared, first=0, stop_at=0.0, **settings):
    n = len(images)
    trial = AttackImages(
        network=TEST_NETWORK, method="gradient", attack="top-k", k=20, epsilons=(8.0,), images=n, first=first, stop_at=stop_at, **settings
    )
    per_image = {name: list(shared) for name in ("intersection", "lens_recall", "lens_precision", "spearman", "ssim", "center_shift_px")}
    per_image |= {name: [0.0] * n for name in ("confidence_change_pp", "region_after", "linf_levels")}
    null = {f"null_{name}": [0.1] * n for name in ("intersection", "lens_recall", "spearman", "center_shift_px")}
    rows = [
        {"kind": "budget", "epsilon": 8.0, "image": list(images), "label_kept": [True] * n, **per_image, "attack_seconds": 1.0,
         "internal_batch_size": 4},
        {"kind": "clean", "k": 20, "pixels": 256, **null},
    ]  # fmt: skip
    return TrialRecord(trial=trial, status="ok", rows=rows)


def test_trials_on_different_images_are_one_row_and_an_image_of_two_trials_counts_once():
    records = [
        shard([7, 3, 9], [0.0, 0.25, 1.0]),
        shard([4, 8, 5], [0.5, 0.75, 1.0], first=3, stop_at=0.005),
        shard([7, 3], [0.9, 0.9], stop_at=0.005),
        shard([7, 3], [0.4, 0.4], n_iterations=25),
    ]
    table = MYTH.tables["attacks"](Results(records)).set_index("n_iterations")
    assert len(table) == 2
    row = table.loc[300]
    assert (row["n"], row["n_untouched"], row["n_touched"]) == (6, 2, 4)
    assert (row["intersection"], row["touched"]) == (pytest.approx(3.5 / 6), pytest.approx(1.5 / 4))
    assert row["touched_sd"] == pytest.approx(np.std([0, 0.25, 0.5, 0.75], ddof=1))
    assert set(row["trials"].split()) == {each.trial.id for each in records[:2]}
    whole = mean_of_shares([0.0, 0.25, 1.0, 0.5, 0.75, 1.0])
    assert (row["intersection_low"], row["intersection_high"]) == (whole.low, whole.high)


def test_a_trial_leaves_out_the_first_images_and_reduces_them():
    context = Context(TEST_NETWORK)
    outcome = TEST_NETWORK.run(context)
    on_network = Context(RandomizeParameters.test_instance(), outcomes=lambda trial: outcome)
    whole, rest = (load_explained_model(TEST_NETWORK, on_network, n, first=first) for n, first in ((10, 0), (6, 4)))
    assert rest.indices == whole.indices[4:]
    assert torch.equal(rest.images, whole.images[4:])
    assert torch.equal(rest.labels, whole.labels[4:])
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    means = images.numpy().astype(float).reshape(2, 3, 4, 2, 4, 2).mean((3, 5))
    assert np.abs(reduced(images, 4).numpy() - means).max() <= 0.5
    with pytest.raises(UsageError, match="image_size=9"):
        reduced(images, 9)


# --- profiles --------------------------------------------------------------------------------------


def test_each_profile_attacks_the_papers_methods():
    decisive, others = ("random-walk", "top-k"), ("random", "mass-center")
    every = ("gradient", "integrated-gradients", "deeplift")
    expected = {
        "laptop": (("gradient",), decisive),  # in a night, the other methods
        "overnight": (every, (*decisive, "mass-center")),
        "gpu": (every, (*decisive, *others)),
        "paper": (every, (*decisive, *others)),
    }
    for profile, (methods, attacks) in expected.items():
        listed = trials(profile, 1)
        small = [t for t in listed if isinstance(t, AttackImages) and not isinstance(t.network, EvaluatePretrained)]
        assert {(m, a) for m in methods for a in attacks} <= {(t.method, t.attack) for t in small}
        assert all(t.images >= 64 for t in small)


def test_photographs_are_attacked_where_they_and_the_weights_are(monkeypatch):
    profiles = ("quick", "laptop", "overnight", "gpu", "paper")
    on_photographs = [[t for t in trials(p, 1) if isinstance(t.network, EvaluatePretrained)] for p in profiles]
    assert [bool(listed) for listed in on_photographs] == [False, True, True, True, True]
    network = on_photographs[2][0].network
    assert network.data == ("imagenet_sample", "squeezenet")
    monkeypatch.setattr(prepared, "find", lambda name: None if name == "imagenet_sample" else object())
    assert "requires imagenet_sample; see `myths data list`" in network.skip_reason()
    monkeypatch.setattr(prepared, "find", lambda name: object())
    assert network.skip_reason() is None


def test_a_request_for_a_claim_runs_its_attacks_and_networks_and_no_others():
    """Z0 and Z1 are measured on the attacks of the claim; Z3 brings SqueezeNet."""
    chosen = selection.claims([MYTH], ["T7-gradcam-attack"], lambda myth: lambda claim: True, "cpu")["saliency"]
    needed = selection.needed_by(chosen, trials("overnight", 1))
    assert [(type(t).__name__, getattr(t, "method", "")) for t in needed] == [("EvaluatePretrained", ""), ("AttackImages", "grad-cam")]
    (claim,) = (claim for claim in MYTH.claims if claim.id == "T7-gradcam-attack")
    assert set(control_ids(claim, MYTH.claims)) == {"Z0", "Z0-budget", "Z1", "Z3"}


def test_the_papers_schedule_on_its_photographs_is_the_papers_protocol():
    full = AttackImages(network=EvaluatePretrained(weights="mine"), method="gradient", attack="top-k", k=1000, images=256)
    assert full.protocol == "paper"
    changes = ({"n_iterations": 50}, {"share_trajectory": True}, {"eval_interval": 5}, {"images": 255}, {"n_steps": 10}, {"image_size": 64})
    for change in changes:
        assert dataclasses.replace(full, **change).protocol == "reduced"
    assert dataclasses.replace(full, network=TEST_NETWORK).protocol == "stand-in"


def test_the_digitized_figure_is_whole():
    rows = digitized_rows()
    assert len(rows) == 3 * 3 * 4
    assert {r["epsilon"] for r in rows} == {1, 2, 4, 8}
    one = next(r for r in rows if (r["method"], r["attack"], r["epsilon"]) == ("integrated-gradients", "mass-center", 4))
    assert (one["intersection"], one["spearman"], one["center_shift_px"]) == (0.211, 0.59, 20.6)


def test_fewer_than_one_network_is_refused():
    with pytest.raises(UsageError, match="at least 1"):
        trials("quick", 0)


# --- networks --------------------------------------------------------------------------------------


def test_adversarial_training_resists_adversarial_images():
    """Against the network's own signed gradient, a network trained on it is right more often than a plain one."""
    plain = TrainNetwork(dataset="shapes", network="small_cnn", epochs=3.0, batch_size=32, learning_rate=0.05, precision="fp32")
    robust = dataclasses.replace(plain, adversarial_epsilon=16.0)
    right = {}
    for trial in (plain, robust):
        from myths.lab.vision.classifier import load_classifier

        network = load_classifier(trial, trial.run(Context(trial)), "cpu")
        images = trial.images("cpu")
        x = (images.x_test.float() / 255).requires_grad_()
        loss = torch.nn.functional.cross_entropy(network(x), images.y_test)
        moved = (x + 16 / 255 * torch.autograd.grad(loss, x)[0].sign()).clamp(0, 1)
        right[trial.defense] = float((network(moved).argmax(1) == images.y_test).float().mean())
    assert right["adversarial"] > right["none"] + 0.05


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A handful of photographs in the two prepared formats."""
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path))
    rng = np.random.default_rng(0)

    def draw(path, side):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)

    bias, sample = tmp_path / "images/dataset_bias", tmp_path / "images/imagenet_sample"
    for label in ("tench", "church"):
        for i in range(10):
            draw(bias / "imagenette" / label / f"{i:05d}.png", 64)
    draw(bias / "coil100/cup/00000.png", 64)
    for file in ("0001_a.png", "0970_b.png"):
        draw(sample / file, 224)
    (sample / "index.csv").write_text("file,class_index\n0001_a.png,1\n0970_b.png,970\n")
    for folder in (bias, sample):
        sha256 = prepared.folder_sha256((f for f in folder.rglob("*") if f.is_file()), folder)
        prepared.write_sidecar(folder.with_suffix(".json"), source="test", note="", sha256=sha256)


def test_photographs_of_64_pixels_are_imagenettes_parted_alike(folders):
    found = imagenette("cpu")
    assert found.classes == ("church", "tench")
    assert found.x_train.shape == (14, 3, 64, 64)
    assert torch.bincount(found.y_test).tolist() == [3, 3]


def test_photographs_of_224_pixels_have_imagenets_classes(folders):
    found = imagenet_sample("cpu")
    assert found.x_test.shape == (2, 3, 224, 224)
    assert found.y_test.tolist() == [1, 970]


def test_a_shorter_random_walk_goes_as_far_as_the_authors():
    """The root of the number of steps times their length is that of 300 half levels: 8.7 levels."""
    walks = [t for p in ("quick", "laptop", "gpu", "paper") for t in trials(p, 1) if getattr(t, "attack", "") == "random-walk"]
    assert len(walks) > 20
    for walk in walks:
        assert walk.step_size * walk.n_iterations**0.5 == pytest.approx(0.5 * 300**0.5, rel=0.01)
