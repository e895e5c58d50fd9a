"""Experiments of myth 7: images under attack and networks."""

import numpy as np
import pandas as pd

from myths.lab.estimate import CONFIDENCE, Estimate, bootstrap, mean_of_shares, student_t
from myths.saliency import attack_series, measures
from myths.saliency.attack_series import AttackSeries
from myths.saliency.names import GEOMETRIC_METHODS
from tests.coverage.common import left_unchanged
from tests.coverage.experiment import Case


def networks(n, std):
    """A mean over images that differs between training runs."""

    def draw(rng):
        values = rng.normal(0.5, std, n)
        return measures.over_networks("value", pd.DataFrame({"value": values, "low": values - 0.1, "high": values + 0.1, "n": 64}))

    return Case(draw, 0.5)


def series(values) -> AttackSeries:
    """Return a series of images that keep their label."""
    n = len(values)
    return AttackSeries(np.arange(n), {"intersection": values}, np.ones(n, dtype=bool), {}, {})


def attacked(rng, n, rate):
    """Return what an attack leaves: little of most maps, everything of a ``rate``."""
    return np.where(rng.random(n) < rate, 1.0, rng.beta(0.5, 49.5, n))


def less_than_walk(n, rate):
    """What a random walk leaves minus what an attack leaves, on the same images."""

    def draw(rng):
        return attack_series.paired(series(rng.beta(1.5, 4.5, n)), series(attacked(rng, n, rate)), "intersection")

    return Case(draw, 0.25 - (rate + (1 - rate) * 0.01))


def robuster(n, rate):
    """The touched images of three equal attacks. Hodges and Lehmann's interval is conservative for the smaller of two differences."""

    def draw(rng):
        one, *others = (series(attacked(rng, n, rate)) for _ in range(3))
        return attack_series.robuster_than_all(one, tuple(others))

    return Case(draw, 0.0, conservative=True, slow=True)


def untouched_by_one(n, rate, missing=0.0):
    """The untouched images of three equal attacks: half of those that only one leaves untouched are the first's."""

    def draw(rng):
        one, *others = (series(attacked(rng, n, rate)) for _ in range(3))
        return attack_series.untouched_by_one(one, tuple(others))

    return Case(draw, 0.5, conservative=True, missing=missing)


def touched(n):
    """What an attack leaves of the images that it changes."""

    def draw(rng):
        found = mean_of_shares(rng.beta(0.5, 49.5, n), unchanged=0.0)
        rows = pd.DataFrame([{"touched": found.value, "touched_low": found.low, "touched_high": found.high, "n": n, "n_touched": n}])
        return measures.touched(rows)

    return Case(draw, 0.01, conservative=True)


def untouched(n, rate):
    """Images that an attack leaves untouched."""
    return Case(lambda rng: measures.untouched(pd.DataFrame({"n_untouched": [rng.binomial(n, rate)], "n": n})), rate, conservative=True)


def accuracy(n, share):
    """The accuracy of a pretrained network."""

    def draw(rng):
        return measures.accuracy_over_images(pd.DataFrame({"test_accuracy_percent": [100 * rng.binomial(n, share) / n], "n_test": n}))

    return Case(draw, 100 * share, conservative=True)


def everyday(n, methods=GEOMETRIC_METHODS):
    """The largest difference of several methods under everyday changes; all methods are equal."""

    def draw(rng):
        rows = []
        for method in range(methods):
            a, b = (series(rng.beta(4, 4, n)) for _ in range(2))
            found = attack_series.paired(a, b, "intersection", 1 - (1 - CONFIDENCE) / methods)
            rows.append({"method": method, "value": found.value, "low": found.low, "high": found.high, "n": n})
        return measures.largest_over_methods(pd.DataFrame(rows), methods=methods)

    return Case(draw, 0.0, conservative=True)


def everyday_difference(n):
    """What everyday changes leave of the maps of two methods."""

    def draw(rng):
        shared = rng.normal(0, 0.1, n)
        a, b = (series(np.clip(mean + shared + rng.normal(0, 0.1, n), 0, 1)) for mean in (0.7, 0.4))
        return attack_series.paired(a, b, "intersection")

    rng = np.random.default_rng(1)
    noise = rng.normal(0, np.hypot(0.1, 0.1), 1_000_000)
    return Case(draw, float(np.clip(0.7 + noise, 0, 1).mean() - np.clip(0.4 + noise, 0, 1).mean()))


def everyday_mean(n):
    """What four everyday changes leave of the maps of one method, on average."""

    def draw(rng):
        return student_t(rng.beta(2, 5, (n, 1)) * rng.beta(8, 2, (n, 4)) @ np.full(4, 0.25), "test examples")

    return Case(draw, 2 / 7 * 0.8)


def completeness(n):
    """The median of errors that vary by orders of magnitude."""

    def draw(rng):
        errors = np.exp(rng.normal(0, 1.5, n))
        found: Estimate = bootstrap(lambda i: np.median(errors[i], axis=1), n, "test examples", rng, 500)
        row = {"error_percent": found.value, "error_low_percent": found.low, "error_high_percent": found.high, "n": n}
        return measures.worst_completeness_error(pd.DataFrame([row]))

    return Case(draw, 1.0)


OF = "saliency.measures.over_networks of saliency"
CASES = {
    ("saliency.measures.over_networks", "seeds"): {f"{n} networks": networks(n, 0.02) for n in (3, 5)},
    (f"{OF}.attacks", "test examples"): {f"{k} of {n} images untouched": left_unchanged(n, k / n) for n in (40, 512) for k in (1, 4)},
    (f"{OF}.differences", "test examples"): {
        **{f"walk less attack, {n} images": less_than_walk(n, 1 / 64) for n in (24, 64)},
        "three equal attacks, touched": robuster(64, 2 / 64),
        "three equal attacks, untouched": untouched_by_one(64, 4 / 64),
        "three equal attacks, few untouched": untouched_by_one(24, 3 / 64, 0.3),
    },
    (f"{OF}.everyday_differences", "test examples"): {f"two methods, {n} images": everyday_difference(n) for n in (96, 128)}
    | {f"all changes, {n} images": everyday_mean(n) for n in (96, 128)},
    ("saliency.measures.largest_over_methods of saliency.everyday_differences", "test examples"): {"equal methods": everyday(128)},
    ("saliency.measures.touched of saliency.attacks", "test examples"): {f"{n} images": touched(n) for n in (24, 64)},
    ("saliency.measures.untouched", "test examples"): {f"1 of 64, {n} images": untouched(n, 1 / 64) for n in (64, 512)},
    ("saliency.measures.accuracy_over_images", "test examples"): {f"{n} images": accuracy(n, 0.57) for n in (250, 1000)},
    ("saliency.measures.worst_completeness_error", "test examples"): {"64 images": completeness(64)},
}
