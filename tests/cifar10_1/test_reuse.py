"""The simulation of reuse against what theory says of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from myths.cifar10_1 import MYTH, adaptive_overfitting, candidates, tables
from myths.cifar10_1.trials import FitCandidates, PublishedAccuracy, ReuseTestSet
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Context


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def expected_maximum(k):
    """Of k independent standard normals."""
    return integrate.quad(lambda x: x * k * stats.norm.pdf(x) * stats.norm.cdf(x) ** (k - 1), -10, 10)[0]


@pytest.mark.parametrize("p", [0.5, 0.9])
def test_selecting_among_pure_noise_flatters_by_the_expected_maximum(p):
    n, k, pools, splits = 2000, 100, 30, 20
    g = generator()
    optimism = []
    for _ in range(pools):
        correct = torch.rand(k, n, generator=g) < p
        halves, orders = adaptive_overfitting.random_half_splits(splits, n, g), adaptive_overfitting.random_orders(splits, k, g)
        optimism.append(adaptive_overfitting.best_of_k(correct, halves, orders).optimism.mean(0))
    found = torch.stack(optimism).mean(0).tolist()
    sd = np.sqrt(p * (1 - p) / (n // 2))
    queries = adaptive_overfitting.query_counts(k)
    for q, value in zip(queries, found, strict=True):
        assert value == pytest.approx(sd * expected_maximum(q), abs=0.12 * sd), f"k = {q}"


@pytest.mark.parametrize("strategy", ["best", "climb"])
def test_identical_candidates_give_no_optimism(strategy):
    labels = torch.arange(200, dtype=torch.uint8) % 10
    one = torch.where(torch.rand(200, generator=generator()) < 0.7, labels, (labels + 1) % 10).to(torch.uint8)
    predicted = one.expand(30, -1)
    halves, orders = adaptive_overfitting.random_half_splits(9, 200, generator(1)), adaptive_overfitting.random_orders(9, 30, generator(2))
    if strategy == "best":
        found = adaptive_overfitting.best_of_k(predicted == labels, halves, orders)
    else:
        found = adaptive_overfitting.greedy_ensemble(predicted, labels, halves, orders)
    assert found.optimism.abs().max() < 1e-6


def test_climbing_never_loses_on_the_reused_half_and_flatters_on_noise():
    g = generator()
    labels = torch.randint(0, 10, (1000,), generator=g).to(torch.uint8)
    predicted = torch.randint(0, 10, (200, 1000), generator=g).to(torch.uint8)
    halves, orders = adaptive_overfitting.random_half_splits(10, 1000, g), adaptive_overfitting.random_orders(10, 200, g)
    climbed = adaptive_overfitting.greedy_ensemble(predicted, labels, halves, orders)
    assert (climbed.reused.diff(dim=1) >= 0).all()
    best = adaptive_overfitting.best_of_k(predicted == labels, halves, orders)
    assert climbed.reused[:, -1].mean() >= best.reused[:, -1].mean()
    # What it finds in noise is nothing: the fresh half stays at chance.
    assert float(climbed.fresh[:, -1].mean()) == pytest.approx(0.1, abs=0.02)
    assert float(climbed.optimism[:, -1].mean()) > 0.04


def slow_climb(predicted, labels, reused, order):
    """The same committee, one vote at a time."""
    votes, last = np.zeros((len(labels), 10), int), np.full((len(labels), 10), -1)
    best = -1
    for step, candidate in enumerate(order):
        trial_votes, trial_last = votes.copy(), last.copy()
        trial_votes[np.arange(len(labels)), predicted[candidate]] += 1
        trial_last[np.arange(len(labels)), predicted[candidate]] = step
        answer = (trial_votes * 1000 + trial_last).argmax(1)
        score = int(((answer == labels) & reused).sum())
        if score > best:
            best, votes, last = score, trial_votes, trial_last
    answer = (votes * 1000 + last).argmax(1)
    return (answer == labels)[reused].mean(), (answer == labels)[~reused].mean()


@given(st.integers(0, 10_000))
def test_climbing_is_the_committee_counted_by_hand(seed):
    g = generator(seed)
    labels = torch.randint(0, 4, (30,), generator=g).to(torch.uint8)
    predicted = torch.randint(0, 4, (12, 30), generator=g).to(torch.uint8)
    halves, orders = adaptive_overfitting.random_half_splits(2, 30, g), adaptive_overfitting.random_orders(2, 12, g)
    found = adaptive_overfitting.greedy_ensemble(predicted, labels, halves, orders)
    for split in range(2):
        expected = slow_climb(predicted.numpy(), labels.numpy(), halves[split].numpy(), orders[split].tolist())
        assert (float(found.reused[split, -1]), float(found.fresh[split, -1])) == pytest.approx(expected)


def test_halves_are_disjoint_complete_and_random():
    halves = adaptive_overfitting.random_half_splits(50, 101, generator())
    assert (halves.sum(1) == 50).all()
    assert halves.float().mean(0).std() < 0.15
    assert (halves[0] != halves[1]).any()


@pytest.mark.parametrize(
    ("k", "expected"), [(1, (1,)), (5, (1, 2, 5)), (7, (1, 2, 5, 7)), (1000, (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))]
)
def test_query_counts_end_with_all(k, expected):
    assert adaptive_overfitting.query_counts(k) == expected


def test_a_candidate_is_the_ridge_classifier_that_sklearn_fits():
    from sklearn.linear_model import Ridge

    g = generator()
    x, y = torch.randn(400, 12, generator=g), torch.randint(0, 3, (400,), generator=g)
    x[:, :3] += torch.eye(3)[y]
    z = (x - x.mean(0)) / x.std(0)
    target = torch.eye(3)[y] - 1 / 3
    chosen = torch.tensor([[0, 1, 2, 7]])
    heads = candidates._solve((z.T @ z).flatten()[None], (z.T @ target).flatten()[None], torch.tensor([4.0]), chosen, 12, 3)
    reference = Ridge(alpha=4.0, fit_intercept=False).fit(z[:, chosen[0]].double().numpy(), target.numpy())
    np.testing.assert_allclose(heads[0, chosen[0]].numpy(), reference.coef_.T, atol=1e-5)
    assert (heads[0].abs().sum(1) > 0).sum() == 4


def test_candidates_differ_and_a_seed_gives_them_again():
    trial = FitCandidates.test_instance()
    first, second = (trial.run(Context(trial)) for _ in range(2))
    assert (first.arrays["predicted"] == second.arrays["predicted"]).all()
    assert first.rows == second.rows
    assert len(np.unique(first.arrays["predicted"], axis=0)) == 20
    other = FitCandidates(dataset="digits", n_candidates=20, n_filters=8, seed=1)
    assert other.run(Context(other)).rows != first.rows


def test_the_share_of_the_drop():
    pools = [FitCandidates(dataset="digits", n_candidates=20, n_filters=8, seed=s) for s in (0, 1)]
    trials = [ReuseTestSet(candidates=pool, strategy="best of k", n_splits=4, seed=pool.seed) for pool in pools]
    done = {pool.id: pool.run(Context(pool)) for pool in pools}
    records = [TrialRecord(t, "ok", t.run(Context(t, "cpu", lambda p: done[p.id])).rows) for t in trials]
    known = PublishedAccuracy(source="reference table")
    results = Results([*records, TrialRecord(known, "ok", known.run(Context(known)).rows)])
    share = tables.reuse_share(results)
    assert share["drop_pp"].unique() == pytest.approx([8.11], abs=0.005)
    np.testing.assert_allclose(share["share_percent"], 100 * share["optimism_pp"] / share["drop_pp"])
    assert (share["share_of_smallest_percent"] > share["share_percent"]).eq(share["optimism_pp"] > 0).all()
    assert set(share["protocol"]) == {"stand-in"}
    drawn = {name: draw({n: t(results) for n, t in MYTH.tables.items()}) for name, draw in MYTH.figures.items()}
    assert {name for name, figure in drawn.items() if figure is None} == {"new_models", "user_models"}


def test_without_results_there_are_empty_tables_and_no_figures():
    made = {name: table(Results([])) for name, table in MYTH.tables.items()}
    assert all(len(table) == 0 for table in made.values())
    assert all(draw(made) is None for draw in MYTH.figures.values())
