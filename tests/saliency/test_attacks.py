"""What every perturbation must keep to, what the attacks achieve, and what is refused."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from myths.lab.errors import UsageError
from myths.saliency import metrics
from myths.saliency.attacks import AttackConfig, keeps_label, perturb
from myths.saliency.attributions import Attribution, make_attribution
from myths.saliency.explained_model import check_inputs, explained_model
from myths.saliency.maps import least_salient_quadrant
from myths.saliency.names import GRADIENT_ATTACKS, PIXEL_STEP, Schedule
from tests.saliency.conftest import lively

EPSILONS = (1.0, 8.0)
SHORT = Schedule(n_iterations=12, step_size=1.0, eval_interval=3, beta=20.0)
ATTACKS = ("random", "random-walk", *GRADIENT_ATTACKS)


@pytest.fixture(scope="module")
def case():
    """A network, 8 images with what it predicts for them, and a generator of generators."""
    network = lively("resnet8", classes=3)
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    return network, images, network(images).argmax(1)


def attack(case, name, schedule=SHORT, epsilons=EPSILONS, k=25, method="gradient"):
    network, images, labels = case
    how = make_attribution(method, torch.full((3, 1, 1), 0.5), n_steps=3)
    perturbation = AttackConfig(attack=name, attack_attribution=how, eval_attribution=how, epsilons=epsilons, k=k, schedule=schedule)
    return how, perturb(perturbation, network, images, labels, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("name", ATTACKS)
def test_budgets_pixels_and_labels_are_kept(case, name, share):
    network, images, labels = case
    _, found = attack(case, name, dataclasses.replace(SHORT, share_trajectory=share))
    assert set(found) == set(EPSILONS)
    for epsilon, moved in found.items():
        assert (moved - images).abs().max() <= epsilon * PIXEL_STEP + 1e-6
        assert moved.min() >= 0
        assert moved.max() <= 1
        if name != "random":
            assert keeps_label(network, moved, labels).all()


@pytest.mark.parametrize("name", GRADIENT_ATTACKS)
def test_attacks_do_what_they_are_for_better_than_noise(case, name):
    network, images, labels = case
    how, found = attack(case, name)
    _, noise = attack(case, "random-walk")
    clean = how.maps(network, images, labels)

    def damage(moved):
        now = how.maps(network, moved, labels)
        region = least_salient_quadrant(clean)
        return {
            "top-k": -metrics.intersection(clean, now, 25),
            "mass-center": metrics.center_shift(clean, now),
            "targeted": (now * region).mean((1, 2)),
        }[name].mean()

    assert damage(found[8.0]) > damage(found[1.0]) > damage(images)
    assert damage(found[8.0]) > damage(noise[8.0])


def test_the_best_iterate_never_does_less_than_the_image_itself(case):
    """Even a hopeless attack, of one step that most likely loses the label, gives an image that counts."""
    network, images, labels = case
    how, found = attack(case, "mass-center", Schedule(n_iterations=1, step_size=60.0, beta=20.0), epsilons=(60.0,))
    shift = metrics.center_shift(how.maps(network, images, labels), how.maps(network, found[60.0], labels))
    assert (shift >= 0).all()
    assert keeps_label(network, found[60.0], labels).all()


def test_an_image_that_loses_its_label_before_a_checkpoint_is_attacked_up_to_there(case):
    """Of 12 steps only the last is eval_attribution, and after the third every label is another: the third counts."""
    network, images, labels = case

    class Touchy(torch.nn.Module):
        def forward(self, x):
            far = (x - images).abs().flatten(1).amax(1) > 3.5 * PIXEL_STEP
            return torch.where(far[:, None], network(x).roll(1, 1), network(x))

    _, found = attack((Touchy(), images, labels), "top-k", dataclasses.replace(SHORT, eval_interval=12), epsilons=(8.0,))
    moved = (found[8.0] - images).abs().flatten(1).amax(1) / PIXEL_STEP
    torch.testing.assert_close(moved, torch.full_like(moved, 3.0), rtol=0, atol=1e-3)


def test_one_draw_is_plus_or_minus_epsilon_and_the_walk_is_worse(case):
    network, images, labels = case
    how, draw = attack(case, "random")
    inner = (images > 8 * PIXEL_STEP) & (images < 1 - 8 * PIXEL_STEP)
    torch.testing.assert_close((draw[8.0] - images).abs()[inner], torch.full_like(images, 8 * PIXEL_STEP)[inner])
    clean = how.maps(network, images, labels)
    once = metrics.intersection(clean, how.maps(network, draw[8.0], labels), 25)
    _, few = attack(case, "random-walk", dataclasses.replace(SHORT, n_iterations=2, eval_interval=1))
    _, many = attack(case, "random-walk", dataclasses.replace(SHORT, n_iterations=60, step_size=4.0, eval_interval=1))
    after_few, after_many = (metrics.intersection(clean, how.maps(network, m[8.0], labels), 25) for m in (few, many))
    assert after_many.mean() < after_few.mean()
    assert after_many.mean() <= once.mean() + 0.05


@pytest.mark.parametrize("method", ["deeplift", "integrated-gradients", "grad-cam", "gradient-times-input"])
def test_every_method_can_be_attacked(case, method):
    network, images, labels = case
    how, found = attack(case, "top-k", method=method)
    after = metrics.intersection(how.maps(network, images, labels), how.maps(network, found[8.0], labels), 25)
    assert after.mean() < 0.9


def test_the_same_draw_gives_the_same_images_and_budgets_of_their_own_differ_from_shared(case):
    first, second = (attack(case, "top-k")[1] for _ in range(2))
    assert all(torch.equal(first[e], second[e]) for e in EPSILONS)
    shared = attack(case, "top-k", dataclasses.replace(SHORT, share_trajectory=True))[1]
    assert not torch.equal(first[1.0], shared[1.0])


@pytest.mark.parametrize("epsilons", [(0.0,), (4.0, -1.0), (math.nan,), (math.inf,), ()])
def test_budgets_that_are_none_are_refused(case, epsilons):
    with pytest.raises(UsageError, match="above 0"):
        attack(case, "top-k", epsilons=epsilons)


def test_k_beyond_the_picture_is_refused(case):
    with pytest.raises(UsageError, match="k=257"):
        attack(case, "top-k", k=257)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda x, y: (x.index_fill(0, torch.tensor(2), math.nan), y), "image 2.*NaN"),
        (lambda x, y: (x * 255, y), "image 0.*outside 0..1.*divide"),
        (lambda x, y: (x - 0.5, y), "outside 0..1"),
        (lambda x, y: (x[:, :1], y), "3 channels, not 1"),
        (lambda x, y: (x, y + 3), "class [345].*0 to 2"),
        (lambda x, y: (x, y - 3), "class -[123].*0 to 2"),
    ],
)
def test_images_and_classes_that_the_network_cannot_take_are_refused(case, spoil, words):
    network, images, labels = case
    with pytest.raises(UsageError, match=words):
        check_inputs(network, *spoil(images, labels))


def test_an_image_of_another_size_is_refused():
    network = lively("small_cnn", classes=3)
    with pytest.raises(UsageError, match="24 x 24 pixels"):
        check_inputs(network, torch.rand(1, 3, 24, 24), torch.zeros(1, dtype=torch.long))


def test_only_images_that_the_network_gets_right_are_taken(case):
    network, _, _ = case
    x = torch.randint(0, 256, (60, 3, 16, 16), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    right = network(x / 255).argmax(1)
    y = torch.where(torch.arange(60) % 2 == 0, right, (right + 1) % 3)
    found = explained_model(network, torch.full((3, 1, 1), 0.5), x, y, 20, np.random.default_rng(0))
    assert all(i % 2 == 0 for i in found.indices)
    assert len(set(found.indices)) == 20
    torch.testing.assert_close(found.images, x[list(found.indices)] / 255)
    with pytest.raises(UsageError, match="only 30 of 60"):
        explained_model(network, torch.full((3, 1, 1), 0.5), x, y, 31, np.random.default_rng(0))


@pytest.mark.parametrize("share", [False, True])
def test_an_attack_stops_on_the_images_of_which_little_is_left_and_goes_on_with_the_others(case, share, monkeypatch):
    """Every image ends as without stopping, or once at most 40 % of its top pixels is left; and fewer images are stepped."""
    network, images, labels = case
    whole = Schedule(n_iterations=12, step_size=1.0, beta=20.0, share_trajectory=share)
    stepped = []
    gradient = Attribution.objective_gradient
    monkeypatch.setattr(
        Attribution, "objective_gradient", lambda self, net, at, *rest: stepped.append(len(at)) or gradient(self, net, at, *rest)
    )
    budgets = (4.0, 8.0)
    how, full = attack(case, "top-k", whole, budgets)
    taken, stepped[:] = sum(stepped), []
    _, early = attack(case, "top-k", dataclasses.replace(whole, stop_at=0.4), budgets)
    clean = how.maps(network, images, labels)
    n_stopped = 0
    for epsilon in budgets:
        left, least = (metrics.intersection(clean, how.maps(network, found[epsilon], labels), 25) for found in (early, full))
        same = torch.isclose(early[epsilon], full[epsilon], atol=1e-6).flatten(1).all(1)
        assert (same | (left <= 0.4)).all()
        assert (left >= least - 1e-6).all()
        n_stopped += int((~same).sum())
        assert keeps_label(network, early[epsilon], labels).all()
    assert n_stopped > 0
    assert sum(stepped) < taken
    with pytest.raises(UsageError, match=r"stop_at=0\.4"):
        attack(case, "mass-center", dataclasses.replace(whole, stop_at=0.4))
