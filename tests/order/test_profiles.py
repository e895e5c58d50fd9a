"""What the profiles run: the image trials of the ``gpu`` profile rehearsed on tiny data, and what each profile measures."""

import dataclasses

import numpy as np
import pytest

from myths.lab.analysis import analyze
from myths.lab.data import prepared
from myths.lab.execution import runner
from myths.lab.storage.run_folder import RunFolder
from myths.lab.trial import Trial
from myths.order import MYTH
from myths.order.profiles import trials
from myths.order.trials import CompareOrders, DrawTrees, FindCategory, FindItemModes, LearnModes, LearnTree, ThinSuperclass, TrackImages

NETWORKS = {"resnet18": "resnet8"}


def tiny(trial):
    """The same trial, and those that it depends on, with few images, starts, draws and steps."""
    if isinstance(trial, LearnModes):
        return dataclasses.replace(trial, starts=2, step=0.05, duration=1.0)
    if isinstance(trial, DrawTrees):
        return dataclasses.replace(trial, draws=4)
    if isinstance(trial, LearnTree):
        return dataclasses.replace(trial, draws=2, properties=40, duration=1.0)
    if isinstance(trial, FindCategory):
        return dataclasses.replace(trial, draws=2)
    if isinstance(trial, TrackImages):
        network = NETWORKS.get(trial.network, trial.network)
        return dataclasses.replace(trial, network=network, epochs=2.0, batch_size=50, checkpoints=5, train_examples=0,
                                   groupings=min(trial.groupings, 100))  # fmt: skip
    changed = {}
    for f in dataclasses.fields(trial):
        value = getattr(trial, f.name)
        if isinstance(value, Trial):
            changed[f.name] = tiny(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Trial):
            changed[f.name] = tuple(map(tiny, value))
    return dataclasses.replace(trial, **changed)


def save_tiny_set():
    rng = np.random.default_rng(0)
    arrays = {"fine_to_coarse": np.arange(100) % 20}
    for split, n in (("train", 200), ("test", 200)):
        labels = (np.arange(n) % 100).astype(np.uint8)
        noise = rng.integers(0, 80, size=(n, 8, 8, 3))
        arrays |= {f"y_{split}": labels, f"x_{split}": (noise + 8 * (labels % 20).reshape(-1, 1, 1, 1)).astype(np.uint8)}
    prepared.save("cifar100", arrays, source="test", note="tiny")


def of_theory(trial):
    """Whether a trial is kept in the rehearsal: image trials, and of the theory one of each kind, setting and depth."""
    if isinstance(trial, LearnModes):
        return trial.layers > 2 or trial.scale == 1e-3
    return not isinstance(trial, FindCategory) or (trial.objects, trial.coherence, trial.noise) == (800, 2.0, "gaussian")


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    """The gpu profile on tiny data, without repetitions of one theory trial at other scales and coherences."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYTHS_DATA", str(tmp_path_factory.mktemp("data")))
        save_tiny_set()
        run = RunFolder(tmp_path_factory.mktemp("runs") / "rehearsal")
        store = run.store(MYTH)
        listed = {t.id: t for t in map(tiny, filter(of_theory, trials("gpu")))}
        plan = runner.plan(listed.values(), store, prepared.sha256_of)
        done = runner.run(plan, store, runner.Invocation("cpu", prepared.sha256_of, "test"))
        assert done.failed == []
        yield analyze(MYTH, run)


def test_the_gpu_profile_measures_every_claim_about_images(rehearsed):
    measured = {j.claim.id: j.estimate.n for j in rehearsed.claim_results if j.estimate is not None}
    needed = {claim.id for claim in MYTH.claims if claim.trial in (TrackImages, ThinSuperclass, CompareOrders)}
    assert needed <= set(measured)
    assert {id: measured[id] for id in ("O1", "O2", "O5-images")} == {"O1": 6, "O2": 3, "O5-images": 3}
    assert {j.claim.id for j in rehearsed.claim_results if j.primary} == {"Q2", "O1", "O2"}


def test_figures_of_images_and_of_trees_are_drawn(rehearsed):
    for name in ("superclasses", "thinned_superclass", "image_orders", "illusion", "tree_levels"):
        assert MYTH.figures[name](rehearsed.tables) is not None, name


def test_the_superclass_that_is_thinned_is_chosen_by_networks_that_are_compared_with_none(rehearsed):
    for trial in trials("gpu"):
        if isinstance(trial, ThinSuperclass):
            assert trial.seed not in {other.seed for other in trial.others}
            assert [other.seed for other in trial.others] == [1, 3, 5]


def test_laptop_measures_every_claim_but_those_on_slow_networks():
    listed = trials("laptop")
    unmeasured = {claim.id for claim in MYTH.claims if not any(claim.selects(trial) for trial in listed)}
    tracked = {t for compare in listed if isinstance(compare, CompareOrders) for t in (*compare.first, *compare.second)}
    unmeasured -= {c.id for c in MYTH.claims if c.trial is TrackImages and any(c.selects(t) for t in tracked)}
    assert unmeasured == {"O3-resnet", "O3-transformer"}
    assert any(isinstance(trial, FindItemModes) for trial in listed)
