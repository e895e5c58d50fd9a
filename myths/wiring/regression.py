"""Least squares on numbers of graphs: how much of the error between wirings they explain, and how much can be explained at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray as Array

Statistic = Callable[[Int[Array, "r n"]], Float[Array, " r"]]
"""A function that returns one number per row of indices, for ``estimate.bootstrap``."""

FOLDS = 10
RESAMPLES = 2000


def quadratic(*columns: Float[Array, " n"]) -> Float[Array, "n terms"]:
    """Return the terms of a quadratic polynomial: 1, the columns, and all their products. The columns are standardized."""
    scaled = [(column - column.mean()) / (column.std() or 1.0) for column in columns]
    products = [scaled[i] * scaled[j] for i in range(len(scaled)) for j in range(i + 1)]
    return np.stack([np.ones(len(columns[0])), *scaled, *products], axis=1)


def fitted(terms: Float[Array, "n terms"], y: Float[Array, " n"]) -> Float[Array, " n"]:
    """Return the least-squares fit of ``y``."""
    return terms @ np.linalg.lstsq(terms, y, rcond=None)[0]


def r_squared(terms: Float[Array, "n terms"], y: Float[Array, " n"]) -> float:
    """Return the fraction of the variance of ``y`` that the fit explains."""
    return 1 - float(((y - fitted(terms, y)) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def r_squared_of_folds(terms: Float[Array, "n terms"], y: Float[Array, " n"], folds: Sequence[Int[Array, " _"]]) -> float:
    """Return R² of ``predictions_of_folds``. It can be negative."""
    return 1 - float(((y - predictions_of_folds(terms, y, folds)) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def predictions_of_folds(terms: Float[Array, "n terms"], y: Float[Array, " n"], folds: Sequence[Int[Array, " _"]]) -> Float[Array, " n"]:
    """Return the predictions of each fold by a fit of the other folds.

    Args:
        terms: Terms of the polynomial.
        y: What is predicted.
        folds: Indices of each fold; together they are all rows.
    """
    predicted = np.empty(len(y))
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(y)), fold)
        predicted[fold] = terms[fold] @ np.linalg.lstsq(terms[rest], y[rest], rcond=None)[0]
    return predicted


def random_folds(n: int, rng: np.random.Generator, folds: int = FOLDS) -> list[Int[Array, " _"]]:
    """Return a random partition of n rows into folds of nearly equal size."""
    return np.array_split(rng.permutation(n), folds)


def group_folds(groups: Sequence[str], rng: np.random.Generator, folds: int = FOLDS) -> list[Int[Array, " _"]]:
    """Return a random partition into folds that keeps the rows of a group together."""
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    return [np.flatnonzero(np.isin(number, part)) for part in np.array_split(rng.permutation(len(names)), folds)]


def bootstrap_r_squared(terms: Float[Array, "n terms"], y: Float[Array, " n"]) -> Statistic:
    """Return a function that computes R² on resamples of the rows, for ``estimate.bootstrap``."""

    def statistic(resamples: Int[Array, "r n"]) -> Float[Array, " r"]:
        return np.array([_r_squared_from_moments(terms, y, np.bincount(rows, minlength=len(y))) for rows in resamples])

    return statistic


def _r_squared_from_moments(terms: Float[Array, "n terms"], y: Float[Array, " n"], weight: Int[Array, " n"]) -> float:
    """Return R² of rows that count ``weight`` times. Normal equations: the terms are standardized and few."""
    weighted = terms * weight[:, None]
    b = weighted.T @ y
    explained = b @ np.linalg.lstsq(weighted.T @ terms, b, rcond=None)[0]
    n, total, squares = weight.sum(), weight @ y, weight @ (y * y)
    return float(1 - (squares - explained) / (squares - total * total / n))


def median_correlation(y: Float[Array, "n columns"], terms: Float[Array, "n terms"], pairs: Sequence[tuple[int, int]]) -> Statistic:
    """Return a function of resamples of the rows: the median over pairs of columns of the correlation of what ``terms`` do not explain.

    Args:
        y: The columns that are correlated.
        terms: What is partialled out; one constant column for plain correlations.
        pairs: Pairs of columns.
    """

    first, second = zip(*pairs, strict=True)

    def statistic(resamples: Int[Array, "r n"]) -> Float[Array, " r"]:
        values, known = y[resamples], terms[resamples]
        transposed = known.transpose(0, 2, 1)
        rest = values - known @ np.linalg.solve(transposed @ known, transposed @ values)
        scaled = rest / np.sqrt((rest**2).sum(1, keepdims=True))
        return np.median((scaled.transpose(0, 2, 1) @ scaled)[:, first, second], axis=1)

    return statistic


def reliability(errors: Float[Array, "n seeds"]) -> float:
    """Return the fraction of the variance of the means over seeds that is not noise of the seeds: the ceiling of R².

    The noise is the residual of wirings and seeds (a seed shifts all wirings alike), divided by the number of seeds.
    """
    n, seeds = errors.shape
    means = errors.mean(1)
    residual = errors - means[:, None] - errors.mean(0) + errors.mean()
    noise = (residual**2).sum() / ((n - 1) * (seeds - 1)) / seeds
    return float(1 - noise / means.var(ddof=1))


def explained(squares: Float[Array, " n"], y: Float[Array, " n"]) -> Statistic:
    """Return a function of resamples: R² of given squared residuals of ``y``."""

    def statistic(rows: Int[Array, "r n"]) -> Float[Array, " r"]:
        drawn = y[rows]
        return 1 - squares[rows].sum(1) / ((drawn - drawn.mean(1, keepdims=True)) ** 2).sum(1)

    return statistic


def relative(squares: Float[Array, " n"], reference: Float[Array, " n"], y: Float[Array, " n"]) -> Statistic:
    """Return a function of resamples: R² of the squared residuals of one fit over R² of those of another."""
    return lambda rows: explained(squares, y)(rows) / explained(reference, y)(rows)


def explained_of_ceiling(terms: Float[Array, "n terms"], errors: Float[Array, "n seeds"]) -> Statistic:
    """Return a function of resamples: R² of the means over seeds, divided by their reliability."""
    fit = bootstrap_r_squared(terms, errors.mean(1))
    return lambda resamples: fit(resamples) / np.array([reliability(errors[rows]) for rows in resamples])


def spearman_by_group(
    values: Float[Array, "n columns"], group: Sequence[str], resamples: int, rng: np.random.Generator
) -> Float[Array, "draws others"]:
    """Return the rank correlations of the first column with the others: of all rows, then of resamples of the groups.

    Args:
        values: The columns.
        group: Name of the group of each row; the rows of a group are drawn together.
        resamples: Number of resamples.
        rng: Generator that draws them.
    """
    from scipy import stats

    names, number = np.unique(group, return_inverse=True)
    members = [np.flatnonzero(number == i) for i in range(len(names))]
    draws = [np.arange(len(values))]
    draws += [np.concatenate([members[i] for i in rng.integers(len(names), size=len(names))]) for _ in range(resamples)]
    return np.array([np.corrcoef(stats.rankdata(values[rows], axis=0).T)[0, 1:] for rows in draws])
