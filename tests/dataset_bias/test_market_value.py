"""Market value: known shifts come back, what cannot be known is said, intervals hold the truth as often as they should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myths.dataset_bias.market_value import (
    MarketValue,
    basket_of_currencies,
    censored,
    fraction_below_one,
    fraction_between_zero_and_one,
    log_relative_value,
    market_value,
    slopes,
)

SIZES = np.array([5, 10, 20, 40, 80])
TRUE = np.array([[1.0, 0.5, 0.26], [0.9, 1.0, 2.0], [0.1, 0.7, 1.0]])


def curves(alpha, sizes=SIZES, slope=(0.05, 0.08, 0.11), start=(0.2, 0.3, 0.1)):
    """AP_ij(n) = start_j + slope_j log(α_ij n): the paper's model, without noise."""
    return np.array(start)[None, :, None] + np.array(slope)[None, :, None] * np.log(alpha[:, :, None] * sizes)


def noisy(rng, alpha=TRUE, splits=20, noise=0.01):
    return curves(alpha) + rng.normal(0, noise, (splits, *alpha.shape, len(SIZES)))


def value(ap, sizes=SIZES, resamples=200, seed=0) -> MarketValue:
    return market_value(ap, sizes, np.random.default_rng(seed), resamples)


def test_slopes_are_those_of_polyfit():
    ap = np.random.default_rng(0).random((3, 2, 2, 5))
    expected = np.polyfit(np.log(SIZES), ap.reshape(-1, 5).T, 1)[0].reshape(3, 2, 2)
    np.testing.assert_allclose(slopes(ap, SIZES), expected, rtol=1e-9)


def test_a_known_shift_comes_back_exactly():
    found = value(np.stack([curves(TRUE)] * 3))
    np.testing.assert_allclose(found.alpha, TRUE, rtol=1e-9)
    np.testing.assert_allclose(found.draws, np.broadcast_to(TRUE, found.draws.shape), rtol=1e-9)
    assert {word for row in found.note for word in row} == {""}


@given(
    alpha=st.floats(1 / 15, 15),
    slope=st.floats(0.01, 0.3),
    start=st.floats(0, 0.5),
    sizes=st.lists(st.integers(1, 500), min_size=2, max_size=6, unique=True).map(sorted),
)
def test_any_shift_within_reach_comes_back_and_any_other_is_censored(alpha, slope, start, sizes):
    sizes = np.array(sizes)
    reach = sizes[-1] / sizes[0]
    matrix = np.array([[1.0, alpha], [1 / alpha, 1.0]])
    found = value(np.stack([curves(matrix, sizes, (slope, slope), (start, start))] * 2), sizes, 2)
    if abs(np.log(alpha)) < np.log(reach) * (1 - 1e-6):
        np.testing.assert_allclose(found.alpha, matrix, rtol=1e-6)
    elif abs(np.log(alpha)) > np.log(reach) * (1 + 1e-6):
        low, high = ((0, 1), (1, 0)) if alpha < 1 else ((1, 0), (0, 1))
        assert (found.alpha[low], found.note[low[0]][low[1]]) == (0.0, "below range")
        assert (found.alpha[high], found.note[high[0]][high[1]]) == (reach, "above range")


def test_the_shift_is_the_least_squares_one():
    """Against a search over the shift, the native line held fixed, on curves that are not parallel."""
    from scipy import optimize

    ap = noisy(np.random.default_rng(1), splits=1, noise=0.03)[0]
    found = log_relative_value(ap, SIZES)
    for i, j in [(0, 1), (1, 0), (2, 1)]:
        b, a = np.polyfit(np.log(SIZES), ap[j, j], 1)
        best = optimize.minimize_scalar(lambda s, i=i, j=j, a=a, b=b: ((ap[i, j] - a - b * (np.log(SIZES) + s)) ** 2).sum(), tol=1e-12)
        assert found[i, j] == pytest.approx(best.x, abs=1e-5)


@given(st.floats(-0.4, 0.4), st.floats(0.1, 10))
def test_the_unit_of_ap_and_the_difficulty_of_a_test_set_do_not_matter(shift, scale):
    ap = noisy(np.random.default_rng(2), splits=4)
    column = np.array([shift, 0.0, -shift])[None, None, :, None]
    np.testing.assert_allclose(value(scale * ap + column).alpha, value(ap).alpha, rtol=1e-6)


def test_a_native_sample_is_worth_one_whatever_the_noise():
    found = value(np.random.default_rng(3).random((6, 4, 4, 5)))
    assert (np.diagonal(found.draws, axis1=1, axis2=2) == 1).all()


def test_a_native_curve_that_does_not_rise_gives_no_number():
    """The native curves of the second and third set are flat and falling; those of the others cross them."""
    one = curves(TRUE)
    one[1, 1] = one[0, 1].mean()
    one[2, 2] = one[0, 2][::-1] + 0.01
    found = value(np.stack([one] * 4))
    assert np.isnan(found.alpha[0, 1])
    assert np.isnan(found.alpha[0, 2])
    assert found.note[0][1] == found.note[0][2] == "native curve does not rise"
    np.testing.assert_allclose(found.alpha[:, 0], TRUE[:, 0])
    center, low, high = found.interval()
    assert np.isnan([center[0, 1], low[0, 1], high[0, 1]]).all()
    assert np.isnan(found.interval(basket_of_currencies)[0]).tolist() == [False, True, True]


def test_a_perfect_native_curve_makes_the_others_worthless_as_on_caltech101():
    """The paper's fifth column: AP 100 from the first sample on, which no number of foreign samples reaches."""
    one = curves(TRUE)
    one[2, 2] = 1.0
    assert one[:2, 2].max() < 1
    found = value(np.stack([one] * 4))
    assert found.alpha[:, 2].tolist() == [0, 0, 1]
    assert found.note[0][2] == "below range"
    assert basket_of_currencies(found.alpha)[2] == pytest.approx(1 / 3)
    one[0, 2] += 2
    assert value(np.stack([one] * 4)).note[0][2] == "above range"


def test_resamples_without_a_rise_widen_the_interval():
    """Two splits rise and one falls: the mean rises, but many resamples do not."""
    steep, falling = curves(TRUE), curves(TRUE, slope=(-0.08, -0.12, -0.16))
    found = value(np.stack([steep, steep, falling]), resamples=2000)
    _, low, high = found.interval()
    assert low[0, 1] == 0
    assert high[0, 1] == found.reach


def test_censoring_beyond_reach():
    alpha = censored(np.log([0.01, 0.1, 0.11, 1.0, 9.9, 10.0, 300.0]), 10.0)
    np.testing.assert_allclose(alpha, [0, 0, 0.11, 1, 9.9, 10, 10])
    assert np.isnan(censored(np.array([np.nan]), 10.0)).all()


def test_intervals_hold_the_truth_about_as_often_as_they_should():
    held = []
    for seed in range(60):
        found = value(noisy(np.random.default_rng(100 + seed)), resamples=400, seed=seed)
        _, low, high = found.interval()
        held.append(((low <= TRUE) & (high >= TRUE))[~np.eye(3, dtype=bool)])
    assert 0.88 <= np.mean(held) <= 0.98  # nominal 0.95; the percentile bootstrap of 20 splits is a little narrow


def test_intervals_are_those_of_scipy():
    from scipy import stats

    ap = noisy(np.random.default_rng(5), splits=12)
    value_, low, high = value(ap, resamples=20_000).interval()

    def alpha(index):
        return log_relative_value(ap[index].mean(0), SIZES)[0, 2]

    theirs = stats.bootstrap((np.arange(12),), alpha, vectorized=False, n_resamples=5000, method="percentile", rng=np.random.default_rng(0))
    np.testing.assert_allclose(np.log([low[0, 2], high[0, 2]]), theirs.confidence_interval, atol=0.01)
    assert low[0, 2] <= value_[0, 2] <= high[0, 2]


def test_statistics_of_the_whole_table():
    found = value(noisy(np.random.default_rng(6)))
    np.testing.assert_allclose(basket_of_currencies(TRUE), [2 / 3, 2.2 / 3, 3.26 / 3])
    assert fraction_between_zero_and_one(TRUE) == fraction_below_one(TRUE) == pytest.approx(5 / 6)
    for statistic in (basket_of_currencies, fraction_between_zero_and_one, fraction_below_one):
        center, low, high = found.interval(statistic)
        np.testing.assert_allclose(center, statistic(TRUE), rtol=0.1)
        assert (low <= center).all()
        assert (center <= high).all()


def test_zeros_are_worth_less_than_one_but_not_something():
    alpha = np.array([[1.0, 0.0], [0.5, 1.0]])
    assert fraction_between_zero_and_one(alpha) == 0.5
    assert fraction_below_one(alpha) == 1.0
    undefined = np.array([[1.0, np.nan], [0.5, 1.0]])
    assert fraction_between_zero_and_one(undefined) == fraction_below_one(undefined) == 0.5  # what is unknown is not counted as devalued


@pytest.mark.parametrize(
    ("change", "sizes", "said"),
    [
        (lambda ap: ap[:1], SIZES, "two splits"),
        (lambda ap: ap, SIZES[::-1], "must be positive and increasing"),
        (lambda ap: np.where(ap > 0.5, np.nan, ap), SIZES, "every AP must be finite"),
        (lambda ap: ap[..., :1], SIZES[:1], "two training sizes"),
    ],
)
def test_what_cannot_be_computed_is_refused(change, sizes, said):
    with pytest.raises(ValueError, match=said):
        market_value(change(noisy(np.random.default_rng(0))), sizes, np.random.default_rng(0))
