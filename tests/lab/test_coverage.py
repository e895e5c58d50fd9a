"""Coverage: how often an interval holds the truth when what a repetition would draw anew is drawn anew.

Every case draws data with a known truth from what varies between repetitions. An interval that is named 95 % must hold the truth in 92 to
98 % of the draws; those marked as conservative may hold it more often.
"""

import math

import numpy as np
import pytest

from myths.lab.estimate import (
    clopper_pearson,
    corrected_t,
    difference_of_proportions,
    mean_of_shares,
    ratio_of_proportions,
    student_t,
)
from myths.lab.measures import geometric_mean

DRAWS = 1000


def processes(n, spread):
    """A ratio of times: the processes differ by ``spread`` on the log scale."""
    return lambda rng: geometric_mean(np.exp(rng.normal(math.log(20), spread, n)).tolist()), 20.0


def trainings(n, kind="normal"):
    """An accuracy over trainings that differ by their seed."""
    draw = {"normal": lambda rng: rng.normal(size=n), "uniform": lambda rng: rng.uniform(-1, 1, n)}[kind]
    return lambda rng: student_t(draw(rng), "seeds"), 0.0


def images(n, share):
    """An accuracy on test images."""
    return lambda rng: clopper_pearson(int(rng.binomial(n, share)), n), share


def gap(n, m, first, second):
    """A difference of accuracies on two test sets."""
    return lambda rng: difference_of_proportions((rng.binomial(n, first), rng.binomial(m, second)), (n, m)), first - second


def relative(n, m, first, second):
    """A ratio of shares of two test sets; 1 is added where a draw has none, which Katz's interval cannot take."""
    return lambda rng: ratio_of_proportions((max(1, rng.binomial(n, first)), max(1, rng.binomial(m, second))), (n, m)), first / second


def left_unchanged(n, rate, interval=mean_of_shares):
    """What attacks leave of maps: little of most, and everything of a ``rate`` of the images."""
    truth = rate + (1 - rate) * 0.01

    def draw(rng):
        shares = np.where(rng.random(n) < rate, 1.0, rng.beta(0.5, 49.5, n))
        return interval(shares)

    return draw, truth


def nearest_mean(rng, pools, n_train, n_test, splits=10):
    """Accuracy of a nearest-mean classifier on splits of pools of two classes, [pools, splits]."""
    found = []
    for _ in range(pools):
        y = rng.integers(2, size=n_train + n_test)
        x = rng.normal(size=(len(y), 5)) + 0.5 * (2 * y[:, None] - 1)
        row = []
        for _ in range(splits):
            order = rng.permutation(len(y))
            train, test = order[:n_train], order[n_train:]
            means = [x[train][y[train] == c].mean(0) for c in (0, 1)]
            distance = [((x[test] - m) ** 2).sum(1) for m in means]
            row.append(np.mean((distance[1] < distance[0]) == y[test]))
        found.append(row)
    return np.array(found)


CASES = {
    **{f"{n} processes that differ by {s:.0%}": processes(n, s) for n in (3, 5) for s in (0.05, 0.3)},
    **{f"{n} seeds": trainings(n) for n in (3, 5, 8, 20)},
    "8 seeds, uniform": trainings(8, "uniform"),
    "10,000 and 2,021 images": gap(10_000, 2021, 0.93, 0.85),
    "images that all models get wrong": relative(2021, 10_000, 0.011, 0.003),
}
CONSERVATIVE = {
    **{f"{share:.1%} of {n} images": images(n, share) for n in (60, 2000) for share in (0.5, 0.95)},
    **{f"{k} of {n} images left unchanged": left_unchanged(n, k / n) for n in (64, 512) for k in (1, 2, 4)},
}


@pytest.mark.parametrize("name", [*CASES, *CONSERVATIVE])
def test_an_interval_holds_the_truth_as_often_as_it_says(name):
    draw, truth = (CASES | CONSERVATIVE)[name]
    rng = np.random.default_rng(0)
    intervals = [draw(rng) for _ in range(DRAWS)]
    held = np.mean([found.low <= truth <= found.high for found in intervals])
    assert 0.92 <= held <= (0.98 if name in CASES else 1.0)


def test_splits_of_one_pool_need_the_correction():
    """Of 10 splits, 700 to 300, Student's t holds the truth in some 70 % of the draws."""
    rng = np.random.default_rng(0)
    truth = nearest_mean(rng, 1, 700, 200_000, splits=20).mean()
    pools = nearest_mean(rng, 400, 700, 300)
    plain, corrected = (
        np.mean([found.low <= truth <= found.high for found in map(interval, pools)])
        for interval in (lambda v: student_t(v, "seeds"), lambda v: corrected_t(v, 300 / 700))
    )
    assert plain < 0.85
    assert 0.92 <= corrected <= 0.98


def test_an_image_left_unchanged_needs_its_own_interval():
    draw, truth = left_unchanged(64, 1 / 64, lambda shares: student_t(shares, "test examples"))
    rng = np.random.default_rng(0)
    held = np.mean([found.low <= truth <= found.high for found in (draw(rng) for _ in range(DRAWS))])
    assert held < 0.75


@pytest.mark.parametrize("unchanged", [0.0, 1.0])
@pytest.mark.parametrize("shares", [[0.5], [1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0], [0.01, 0.02, 0.6]])
def test_an_interval_of_shares_stays_within_them(shares, unchanged):
    found = mean_of_shares(shares, unchanged)
    assert 0 <= found.low <= np.mean(shares) <= found.high <= 1
    assert found.low < found.high


@pytest.mark.parametrize("shares", [[], [0.5, 1.1], [-0.1, 0.2]])
def test_what_is_no_share_is_refused(shares):
    with pytest.raises(ValueError, match="numbers from 0 to 1"):
        mean_of_shares(shares)
