"""Measures of two maps against scipy, scikit-image and brute force."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from skimage.metrics import structural_similarity

from myths.lab.errors import UsageError
from myths.saliency import metrics
from myths.saliency.attacks.objectives import attack_objective
from myths.saliency.maps import is_map, least_salient_quadrant, mass_center, pixel_map, top_k


def maps(n, h, w, seed=0, levels=0):
    """Random maps of mean about 1; with few ``levels`` many pixels are equal."""
    drawn = np.random.default_rng(seed).random((n, h, w))
    return torch.from_numpy(np.floor(drawn * levels) / levels + 0.01 if levels else drawn)


@pytest.mark.parametrize("levels", [0, 4])
def test_spearman_is_scipys(levels):
    a, b = maps(5, 9, 11, 0, levels), maps(5, 9, 11, 1, levels)
    b[0] = a[0]
    expected = [stats.spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    torch.testing.assert_close(metrics.spearman(a, b), torch.tensor(expected))


def test_spearman_of_an_even_map_is_not_a_number():
    assert metrics.spearman(torch.ones(1, 4, 4), torch.rand(1, 4, 4)).isnan().all()


@pytest.mark.parametrize("shape", [(8, 8), (32, 32), (17, 23)])
def test_ssim_is_scikit_images(shape):
    a, b = maps(4, *shape, 2), maps(4, *shape, 3)
    b = 0.7 * a + 0.3 * b

    def scaled(x):
        return (x - x.min()) / (x.max() - x.min())

    expected = [structural_similarity(scaled(x), scaled(y), data_range=1.0) for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    torch.testing.assert_close(metrics.ssim(a, b), torch.tensor(expected))


def test_ssim_needs_room_for_its_window():
    with pytest.raises(ValueError, match="7 pixels"):
        metrics.ssim(torch.rand(1, 6, 9), torch.rand(1, 6, 9))


def test_intersection_and_lens_by_hand():
    one, other = torch.zeros(1, 5, 5), torch.zeros(1, 5, 5)
    one[0, 0, 0] = one[0, 2, 2] = 1
    other[0, 1, 1] = other[0, 4, 4] = 1  # the first is a neighbor of both, the second of none
    assert metrics.intersection(one, other, 2).item() == 0
    assert metrics.lens_recall(one, other, 2).item() == 1
    assert metrics.lens_precision(one, other, 2).item() == 0.5


@given(st.integers(0, 10_000), st.integers(1, 63))
def test_lens_against_loops_and_never_below_the_intersection(seed, k):
    a, b = maps(1, 8, 8, seed), maps(1, 8, 8, seed + 1)
    top = [{tuple(p) for p in np.argwhere(top_k(x, k)[0].numpy())} for x in (a, b)]
    near = {(i + di, j + dj) for i, j in top[1] for di in (-1, 0, 1) for dj in (-1, 0, 1)}
    assert metrics.lens_recall(a, b, k).item() == pytest.approx(len(top[0] & near) / k)
    assert metrics.intersection(a, b, k).item() == pytest.approx(len(top[0] & top[1]) / k)
    assert metrics.intersection(a, b, k).item() <= metrics.lens_recall(a, b, k).item()


def test_a_map_beside_itself():
    a = maps(3, 10, 10)
    for measure in (metrics.intersection, metrics.lens_recall, metrics.lens_precision):
        assert measure(a, a, 7).tolist() == [1, 1, 1]
    torch.testing.assert_close(metrics.spearman(a, a), torch.ones(3, dtype=a.dtype))
    assert metrics.center_shift(a, a).tolist() == [0, 0, 0]
    torch.testing.assert_close(metrics.ssim(a, a), torch.ones(3, dtype=a.dtype))


def test_chance_is_what_random_maps_have_in_common():
    a, b = maps(2000, 8, 8, 0), maps(2000, 8, 8, 1)
    assert metrics.intersection(a, b, 6).mean().item() == pytest.approx(6 / 64, abs=0.01)


def test_center_of_mass_against_scipy_and_shift_in_pixels():
    from scipy import ndimage

    a = maps(3, 6, 9)
    expected = torch.tensor([ndimage.center_of_mass(x) for x in a.numpy()])
    torch.testing.assert_close(mass_center(a), expected)
    point, moved = torch.zeros(1, 8, 8), torch.zeros(1, 8, 8)
    point[0, 1, 1] = moved[0, 4, 5] = 3.0
    assert metrics.center_shift(point, moved).item() == 5.0


def test_pixel_maps_have_mean_one_and_a_map_of_nothing_is_even():
    attributions = torch.randn(4, 3, 6, 6)
    attributions[2] = 0
    found = pixel_map(attributions)
    torch.testing.assert_close(found.mean((1, 2)), torch.ones(4))
    assert (found[2] == 1).all()
    torch.testing.assert_close(found[0] / found[0].sum(), attributions[0].abs().sum(0) / attributions[0].abs().sum())


def test_the_dullest_quarter_is_the_least_salient():
    a = torch.ones(1, 8, 8)
    a[0, :4, 4:] = 0.5
    region = least_salient_quadrant(a)
    assert region[0, :4, 4:].all()
    assert region.sum() == 16


@pytest.mark.parametrize("k", [0, -3, 65])
def test_k_beyond_the_pixels_is_refused(k):
    with pytest.raises(UsageError, match=f"k={k}.*1 to 64"):
        top_k(torch.rand(1, 8, 8), k)


NO_MAPS = {
    "zeros": lambda m: torch.zeros_like(m),
    "one value": lambda m: torch.full_like(m, 0.7),
    "pixel map of zeros": lambda m: pixel_map(torch.zeros_like(m)[:, None]),
    "NaN": lambda m: torch.where(m > m.mean(), m, math.nan),
    "infinite": lambda m: torch.where(m > m.mean(), m, math.inf),
}


@pytest.mark.parametrize("other", ["itself", "a map"])
@pytest.mark.parametrize("kind", list(NO_MAPS))
def test_a_map_that_says_nothing_is_scored_by_no_measure(kind, other):
    good = maps(3, 9, 9)
    bad = good.clone()
    bad[1:2] = NO_MAPS[kind](good[1:2])
    against = bad if other == "itself" else good
    assert is_map(bad).tolist() == [True, False, True]
    scores = {
        "intersection": metrics.intersection(bad, against, 5),
        "lens_recall": metrics.lens_recall(bad, against, 5),
        "lens_precision": metrics.lens_precision(bad, against, 5),
        "spearman": metrics.spearman(bad, against),
        "center_shift": metrics.center_shift(bad, against),
        "ssim": metrics.ssim(bad, against),
    }
    for name, values in scores.items():
        assert values.isnan().tolist() == [False, True, False], name


@pytest.mark.parametrize("damage", ["top-k", "mass-center", "targeted"])
def test_an_attack_never_prefers_an_iterate_without_a_map(damage):
    good = maps(3, 9, 9)
    objective = attack_objective(damage, good, 5)
    now = good.flip(1)
    now[1] = 1.0
    assert objective.damage(now).isnan().tolist() == [False, True, False]
