"""Trials on the authors' published errors: nothing is trained. Their criteria were written after the numbers were known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray as Array

from myths.lab.estimate import bootstrap
from myths.lab.setting import Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.wiring.facts import SAME_WIRINGS, WIRING, Network, Sharing

if TYPE_CHECKING:
    import pandas as pd

    from myths.lab.estimate import Estimate

Shape = Literal["ring-like", "small-world", "random"]
SHAPES: dict[Shape, tuple[float, float]] = {"ring-like": (0.0, 0.01), "small-world": (0.05, 0.5), "random": (0.5, 1.01)}
"""Rewiring probabilities of each shape: from the first number to below the second."""
DENSITIES = ((0.12, 0.15), (0.15, 0.2), (0.2, 0.3), (0.3, 0.5))
SWEET_SPOT = {"clustering": (0.10, 0.50), "path_length_hops": (1.82, 2.75)}
"""The rectangle of the authors' notebook."""
BAND = (0.125, 0.15)
"""Densities at which the width of the network is nearly constant."""

CLOSE = 0.8
"""Correlation from which two orders of wirings count as the same."""

Resamples = Annotated[int, Range(at_least=20)]


@dataclass(frozen=True, kw_only=True)
class _Recomputed(Trial):
    """Base class of trials that read the published tables."""

    @property
    def protocol(self) -> Protocol:
        """Return "recomputed": networks and errors are the authors'."""
        return "recomputed"


@dataclass(frozen=True, kw_only=True)
class CompareShapes(_Recomputed):
    """Compare the mean error of groups of wirings with that of the complete graph, by training seed (You et al. 2020)."""

    @classmethod
    def test_instance(cls) -> CompareShapes:
        """Return the comparison."""
        return cls()

    def run(self, context: Context) -> Outcome:
        """Return one row per group of wirings and training seed: group, shape, wirings, error_percent, complete_percent, gain_pp."""
        from myths.wiring import facts

        wirings, complete = facts.errors("MLP")
        spot = np.logical_and.reduce([wirings[name].between(*ends) for name, ends in SWEET_SPOT.items()])
        groups: dict[tuple[str, str], Any] = {("sweet spot", "any"): spot, ("all", "any"): np.ones(len(wirings), dtype=bool)}
        for low, high in DENSITIES:
            for name, ends in SHAPES.items():
                inside = [wirings["density"].between(low, high, "left"), wirings["rewire_probability"].between(*ends, "left")]
                groups[f"density {low} to {high}", name] = np.logical_and.reduce(inside)
        rows = []
        for (group, shape), chosen in groups.items():
            for seed, column in enumerate(facts.seed_columns(wirings), start=1):
                error, base = float(wirings.loc[chosen, column].mean()), float(complete[column].iloc[0])
                row = {"group": group, "shape": shape, "seed": seed, "wirings": int(chosen.sum())}
                rows.append(row | {"error_percent": error, "complete_percent": base, "gain_pp": base - error})
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class MapErrors(_Recomputed):
    """Average the errors of the MLP over cells of clustering and path length, and over bins of the spectral gap at one density."""

    @classmethod
    def test_instance(cls) -> MapErrors:
        """Return the averages."""
        return cls()

    def run(self, context: Context) -> Outcome:
        """Return one row per cell or bin.

        Columns: kind ("cell" or "gap"), wirings, error_percent, its standard error over wirings, and the means of clustering, path_length
        and spectral_gap.
        """
        from myths.wiring import facts

        wirings, _ = facts.errors("MLP")
        wirings["error_percent"] = wirings[facts.seed_columns(wirings)].mean(axis=1)
        wirings["path_length"] = wirings["path_length_hops"]
        band = wirings[wirings["density"].between(*BAND, "left")]
        cells = [(wirings["clustering"] // 0.08).rename("c"), (wirings["path_length"] // 0.2).rename("l")]
        tenths = band["spectral_gap"].rank(pct=True, method="first").mul(12).clip(upper=11.999) // 1
        rows = []
        for kind, groups in (("cell", wirings.groupby(cells)), ("gap", band.groupby(tenths))):
            for _, group in groups:
                row = {
                    "kind": kind,
                    "wirings": len(group),
                    "standard_error_pp": float(group["error_percent"].sem()) if len(group) > 1 else None,
                }
                means = ("error_percent", "clustering", "path_length", "spectral_gap")
                rows.append(row | {name: float(group[name].mean()) for name in means})
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class FitSurface(_Recomputed):
    """Fit the error of the wirings of a network by a quadratic polynomial of numbers of the graph."""

    network: Network
    """Network of You et al. 2020."""
    densities: Literal["all", "0.125 to 0.15"] = "all"
    """Densities of the wirings that are fitted. In the narrow band the width is nearly constant."""
    resamples: Resamples = 2000
    """Bootstrap resamples of the wirings."""
    seed: Seed = 0

    @classmethod
    def test_instance(cls) -> FitSurface:
        """Return the fit of a network with 52 wirings."""
        return cls(network="CNN-6", resamples=50)

    def run(self, context: Context) -> Outcome:
        """Return one row per set of predictors.

        Columns: wirings, r2, r2_of_folds (10 folds) and its fraction of the R² of clustering and path length, each with an interval;
        ceiling (the reliability of the mean over seeds) and ``of_ceiling``, r2 / ceiling, with its interval.
        """
        from myths.wiring import facts, regression

        wirings, _ = facts.errors(self.network)
        if self.densities != "all":
            wirings = wirings[wirings["density"].between(*BAND, "left")]
        wirings = wirings.dropna(subset=facts.seed_columns(wirings))
        errors = wirings[facts.seed_columns(wirings)].to_numpy()
        y, rng = errors.mean(1), context.rng("bootstrap")
        sets = {name: regression.quadratic(*columns) for name, columns in self._predictors(wirings).items()}
        folds = regression.random_folds(len(y), context.rng("folds"))
        squares = {name: (y - regression.predictions_of_folds(terms, y, folds)) ** 2 for name, terms in sets.items()}
        rows = []
        for name, terms in sets.items():
            row = {"predictors": name, "wirings": len(y), "ceiling": regression.reliability(errors)}
            fit = bootstrap(regression.bootstrap_r_squared(terms, y), len(y), "models", rng, self.resamples)
            outside = bootstrap(regression.explained(squares[name], y), len(y), "models", rng, self.resamples)
            relative = bootstrap(regression.relative(squares[name], squares["C, L"], y), len(y), "models", rng, self.resamples)
            row |= _columns("r2", fit) | _columns("r2_of_folds", outside) | _columns("relative", relative)
            if name == "C, L":
                share = bootstrap(regression.explained_of_ceiling(terms, errors), len(y), "models", rng, self.resamples)
                row |= _columns("of_ceiling", share)
            rows.append(row)
        return Outcome(rows=rows)

    def _predictors(self, wirings: pd.DataFrame) -> dict[str, tuple[Float[Array, " n"], ...]]:
        from myths.wiring import graphs

        c, length, density = (wirings[name].to_numpy() for name in ("clustering", "path_length_hops", "density"))
        found: dict[str, tuple[Float[Array, " n"], ...]] = {
            "C, L": (c, length), "C, L, log density": (c, length, np.log(density)), "log density": (np.log(density),), "C": (c,),
            "L": (length,),
        }  # fmt: skip
        if "spectral_gap" in wirings:
            found["log gap"] = (np.log(wirings["spectral_gap"].to_numpy()),)
        if self.densities != "all":
            rows = wirings[list(WIRING)].itertuples(index=False)
            trees = [graphs.log10_spanning_trees(graphs.watts_strogatz(64, 64 * d, p, int(seed))) for d, p, seed in rows]
            found["log spanning trees"] = (np.array(trees),)
        return found


@dataclass(frozen=True, kw_only=True)
class PredictHeldOut(_Recomputed):
    """Predict the error of 52 wirings by a quadratic function of clustering and path length that was fitted on others."""

    network: Sharing
    """Network of You et al. 2020. The function of the MLP is fitted on 3,942 wirings, that of the others on 52."""
    seed: Seed = 0

    @classmethod
    def test_instance(cls) -> PredictHeldOut:
        """Return the prediction for a network with 52 wirings."""
        return cls(network="CNN-6")

    def run(self, context: Context) -> Outcome:
        """Return one row per wiring: clustering, path_length, error_percent, and predicted_percent, fitted on the folds without it."""
        from myths.wiring import facts, regression

        wirings, _ = facts.errors(self.network)
        wirings = wirings.dropna(subset=facts.seed_columns(wirings))
        y = wirings[facts.seed_columns(wirings)].mean(axis=1).to_numpy()
        terms = regression.quadratic(wirings["clustering"].to_numpy(), wirings["path_length_hops"].to_numpy())
        folds = regression.random_folds(len(y), context.rng("folds"))
        found = wirings[[*WIRING, "clustering"]].assign(path_length=wirings["path_length_hops"], error_percent=y)
        found["predicted_percent"] = regression.predictions_of_folds(terms, y, folds)
        shared, _ = facts.errors("CNN-6")
        rows = found.merge(shared[list(WIRING)]).drop(columns="graph_seed").to_dict("records")
        return Outcome(rows=[{str(name): float(value) for name, value in row.items()} for row in rows])


@dataclass(frozen=True, kw_only=True)
class CompareNetworks(_Recomputed):
    """Correlate the errors of the same 52 wirings in five networks (You et al. 2020, consistency across tasks)."""

    resamples: Resamples = 2000
    """Bootstrap resamples of the wirings."""
    seed: Seed = 0

    @classmethod
    def test_instance(cls) -> CompareNetworks:
        """Return the comparison with few resamples."""
        return cls(resamples=50)

    def run(self, context: Context) -> Outcome:
        """Return one row per pair of networks and one for the median of the pairs.

        Columns: first, second, wirings, r and r_at_density (a quadratic polynomial of log density is partialled out of both).
        """
        from myths.wiring import facts, regression

        means = []
        for network in SAME_WIRINGS:
            wirings, _ = facts.errors(network)
            wirings["mean"] = wirings[facts.seed_columns(wirings)].mean(axis=1)
            means.append(wirings.set_index(list(facts.WIRING))["mean"].rename(network))
        joined = means[1].to_frame().join([means[0], *means[2:]], how="inner")[list(SAME_WIRINGS)]
        y = joined.to_numpy()
        density = joined.index.get_level_values("density").to_numpy(dtype=float)
        log_density = regression.quadratic(np.log(density))
        pairs = [(i, j) for i in range(len(SAME_WIRINGS)) for j in range(i + 1, len(SAME_WIRINGS))]
        rng, n = context.rng("bootstrap"), len(y)
        rows = []
        for first, second, chosen in [*((SAME_WIRINGS[i], SAME_WIRINGS[j], [(i, j)]) for i, j in pairs), ("median", "of ten pairs", pairs)]:
            row = {"first": first, "second": second, "wirings": n}
            for name, terms in (("r", np.ones((n, 1))), ("r_at_density", log_density)):
                row |= _columns(name, bootstrap(regression.median_correlation(y, terms, chosen), n, "models", rng, self.resamples))
            rows.append(row)
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class SelectBest(_Recomputed):
    """Measure how much of the gain of the best wiring is selection: it is chosen on all training seeds but one and tested on that one."""

    network: Network
    """Network of You et al. 2020."""

    @classmethod
    def test_instance(cls) -> SelectBest:
        """Return the selection in a network with 52 wirings."""
        return cls(network="CNN-6")

    def run(self, context: Context) -> Outcome:
        """Return one row per held-out seed and number of wirings: best, apparent_pp, honest_pp and kept_fraction, honest / apparent."""
        from myths.wiring import facts

        wirings, complete = facts.errors(self.network)
        columns = facts.seed_columns(wirings)
        wirings = wirings.dropna(subset=columns)
        errors, base = wirings[columns].to_numpy(), complete[columns].to_numpy()[0]
        rows = []
        for held_out in range(len(columns)):
            others = [seed for seed in range(len(columns)) if seed != held_out]
            order = errors[:, others].mean(1).argsort(kind="stable")
            for best in (1, 10):
                apparent = float(base[others].mean() - errors[order[:best]][:, others].mean())
                honest = float(base[held_out] - errors[order[:best], held_out].mean())
                row = {"seed": held_out + 1, "best": best, "wirings": len(wirings), "apparent_pp": apparent, "honest_pp": honest}
                rows.append(row | {"kept_fraction": honest / apparent})
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class FitFewWirings(_Recomputed):
    """Fit the surface of the MLP on few random wirings and compare it with the surface of all 3,942."""

    wirings: Annotated[int, Range(at_least=10, at_most=3942)] = 52
    """Number of wirings of each draw."""
    draws: Annotated[int, Range(at_least=20)] = 1000
    """Number of random draws."""
    seed: Seed = 0

    @classmethod
    def test_instance(cls) -> FitFewWirings:
        """Return few draws."""
        return cls(draws=50)

    def run(self, context: Context) -> Outcome:
        """Return one row of the correlations of both surfaces over all wirings: median_r, low_r (5 % quantile), close_draws (r ≥ 0.8)."""
        from myths.wiring import facts, regression

        all_wirings, _ = facts.errors("MLP")
        y = all_wirings[facts.seed_columns(all_wirings)].mean(axis=1).to_numpy()
        terms = regression.quadratic(all_wirings["clustering"].to_numpy(), all_wirings["path_length_hops"].to_numpy())
        surface, rng, found = regression.fitted(terms, y), context.rng("draws"), []
        for _ in range(self.draws):
            few = rng.choice(len(y), self.wirings, replace=False)
            found.append(np.corrcoef(terms @ np.linalg.lstsq(terms[few], y[few], rcond=None)[0], surface)[0, 1])
        row = {"median_r": float(np.median(found)), "low_r": float(np.quantile(found, 0.05))}
        return Outcome(rows=[row | {"close_draws": int((np.array(found) >= CLOSE).sum())}])


@dataclass(frozen=True, kw_only=True)
class CompareEpochs(_Recomputed):
    """Correlate the errors of the wirings of an ImageNet network after few epochs with those after 100."""

    network: Literal["CNN-6", "ResNet-34", "ResNet-34-sep", "ResNet-50", "EfficientNet-B0"]
    """Network of You et al. 2020."""
    resamples: Resamples = 2000
    """Bootstrap resamples of the wirings."""
    seed: Seed = 0

    @classmethod
    def test_instance(cls) -> CompareEpochs:
        """Return a comparison with few resamples."""
        return cls(network="CNN-6", resamples=50)

    def run(self, context: Context) -> Outcome:
        """Return one row per epoch: epoch, wirings, r with its interval over wirings."""
        from myths.wiring import facts, regression

        last, _ = facts.errors(self.network)
        early = facts.table("imagenet_epochs")
        early = early[early["network"] == self.network]
        keys, rng, rows = list(facts.WIRING), context.rng("bootstrap"), []
        for epoch, group in early.groupby("epoch"):
            both = last.merge(group, on=keys, suffixes=("", "_early")).dropna()
            seeds = facts.seed_columns(last)
            y = np.stack([both[seeds].mean(axis=1), both[[f"{name}_early" for name in seeds]].mean(axis=1)], axis=1)
            r = bootstrap(regression.median_correlation(y, np.ones((len(y), 1)), [(0, 1)]), len(y), "models", rng, self.resamples)
            rows.append({"epoch": int(epoch), "wirings": len(y)} | _columns("r", r))
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class CompareOtherCollection(_Recomputed):
    """Correlate accuracy with graph invariants in 1,020 CNNs on random graphs (Nowak & Janik 2020).

    The invariants are the 15 of 54 that this suite carries, as their authors scaled them, so only ranks are used. The draws of one
    generator are resampled together.
    """

    nodes: Literal[30, 60]
    """Number of nodes of the graphs."""
    resamples: Resamples = 1000
    """Bootstrap resamples of the generators."""
    seed: Seed = 0

    @classmethod
    def test_instance(cls) -> CompareOtherCollection:
        """Return a comparison with few resamples."""
        return cls(nodes=30, resamples=25)

    def run(self, context: Context) -> Outcome:
        """Return one row per invariant, and one for the largest absolute correlation.

        Columns: invariant, networks, generators, rho with its interval over generators; the last row also has r2 of clustering and path
        length, r2_of_folds (by generator) and largest_invariant.
        """
        from myths.wiring import facts, regression

        networks = facts.table("random_graph_cnns")
        networks = networks[networks["nodes"] == self.nodes]
        names = [name for name in networks if name.endswith("_scaled")]
        y = networks["accuracy_cifar10_last10_percent"].to_numpy()
        generator = networks["network"].str.rsplit("_", n=1).str[0].to_numpy()
        values = np.column_stack([y, networks[names].to_numpy()])
        rho = regression.spearman_by_group(values, list(generator), self.resamples, context.rng("bootstrap"))
        common = {"networks": len(y), "generators": len(set(generator))}
        rows = [
            {"invariant": name.removesuffix("_scaled"), **common, **_percentiles("rho", of_one)}
            for name, of_one in zip(names, rho.T, strict=True)
        ]
        columns = [networks[name].to_numpy() for name in ("average_clustering_scaled", "average_shortest_path_length_scaled")]
        terms = regression.quadratic(*columns)
        folds = regression.group_folds(list(generator), context.rng("folds"))
        largest = {"invariant": "largest", **common, **_percentiles("rho", np.abs(rho).max(1))}
        largest |= {"largest_invariant": names[int(np.abs(rho[0]).argmax())].removesuffix("_scaled"), "r2": regression.r_squared(terms, y)}
        return Outcome(rows=[*rows, largest | {"r2_of_folds": regression.r_squared_of_folds(terms, y, folds)}])


# --- statistics of resamples -----------------------------------------------------------------------


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _percentiles(name: str, values: Float[Array, " draws"]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), percentile_interval(values), strict=True))


def percentile_interval(values: Float[Array, " draws"]) -> tuple[float, float, float]:
    """Return the first value, which is that of all networks, with the percentile interval of the others."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    value = float(values[0])
    return value, min(value, float(low)), max(value, float(high))
