"""Tables. Column names carry units (px, pp for percentage points, percent).

Means are over the images that keep their label and have a map, with Student's t intervals over these images (95 %). Images with a map that
is constant or not finite are not scored; ``n_without_map`` counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.lab.estimate import Estimate, bootstrap, fisher_z, student_t
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.tables import TRIALS, unite
from myths.saliency.attack_series import AttackSeries, difference_from_best, lens_gain, paired, rescaled, unpaired
from myths.saliency.trials import (
    AttackImages,
    AttackUserImages,
    EvaluatePretrained,
    MeasureCurvature,
    MeasureInfluence,
    RandomizeParameters,
    TrainNetwork,
)
from myths.saliency.trials.attacks import method_name
from myths.saliency.trials.on_network import network_columns

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("intersection", "lens_recall", "lens_precision", "spearman", "center_shift_px", "ssim", "confidence_change_pp", "region_after")
PASS_THRESHOLD = 0.5
"""A method passes parameter randomization if its rank correlation with maps of a random network is at most this (upper end)."""
RANDOM = ("random", "random-walk")


def networks(results: Results) -> pd.DataFrame:
    """Return the networks that are explained, with their accuracy."""
    import pandas as pd

    dataset, defense = (lambda t: t.dataset), (lambda t: t.defense)
    frames = [results.frame(TrainNetwork, defense=defense), results.frame(EvaluatePretrained, dataset=dataset, defense=defense)]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def attacks(results: Results) -> pd.DataFrame:
    """Return one row per attack, method and budget (0: control), with chance and the null similarity."""
    import pandas as pd

    rows = []
    for trial, record in results.of(AttackImages):
        clean = next(row for row in record.rows if row["kind"] == "clean")
        for line in record.rows:
            if line["kind"] != "budget":
                continue
            kept = np.array(line["label_kept"], dtype=bool)
            row = {"method": method_name(trial), "attack": trial.attack, "epsilon": line["epsilon"], "images": len(kept)}
            shared = _numbers(line["intersection"])
            row |= {
                "label_kept_percent": 100 * kept.mean(),
                "n": int((kept & np.isfinite(shared)).sum()),
                "n_without_map": _n_missing(shared),
            }
            row |= {"k": clean["k"], "chance": clean["k"] / clean["pixels"]}
            row |= {name: _mean(_numbers(values)) for name, values in clean.items() if name.startswith("null_")}
            row |= {"min_intersection": float(np.fmin.reduce(shared)), "max_linf_levels": max(line["linf_levels"])}
            for measure in MEASURES:
                row |= _interval(measure, _numbers(line[measure])[kept])
            row |= {name: line[name] for name in ("attack_seconds", "internal_batch_size")} | {"n_iterations": trial.n_iterations}
            rows.append(row | _provenance(trial, record))
    return pd.DataFrame(rows)


def completeness_error(results: Results) -> pd.DataFrame:
    """Return the median completeness error over images per method: |Σ attributions − change of the output| in percent of the change."""
    import pandas as pd

    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for trial, record in results.of(AttackImages):
        errors = np.array(next(row for row in record.rows if row["kind"] == "clean").get("completeness_error", []))
        if len(errors):
            row = {"method": method_name(trial), "n_steps": trial.n_steps, "n": len(errors)} | _provenance(trial, record)
            rng = np.random.default_rng(0)
            median = bootstrap(lambda i, errors=errors: np.median(errors[i], axis=1), len(errors), "test examples", rng, 2000)  # type: ignore[misc]
            row |= {"error_percent": 100 * median.value, "error_low_percent": 100 * median.low, "error_high_percent": 100 * median.high}
            key = (row["method"], trial.network.id, trial.seed)
            if key not in rows or row["n"] <= rows[key]["n"]:  # the images common to all attacks, in any order of the trials
                rows[key] = row
    return pd.DataFrame(list(rows.values()))


def parameter_randomization(results: Results) -> pd.DataFrame:
    """Return the similarity of maps of the trained network and after randomizing its last layers, up to all (Adebayo et al. 2018)."""
    import pandas as pd

    rows = []
    for trial, record in results.of(RandomizeParameters):
        for line in record.rows:
            all_layers = line["n_randomized"] == line["n_layers"]
            row = {"method": trial.method, "n_randomized": line["n_randomized"], "n_layers": line["n_layers"], "all_layers": all_layers}
            n_missing = _n_missing(_numbers(line["spearman"]))
            row |= {"n": len(line["spearman"]) - n_missing, "n_without_map": n_missing}
            for measure in ("spearman", "ssim", "intersection"):
                row |= _interval(measure, _numbers(line[measure]))
            row["passes_test"] = row.get("spearman_high", np.nan) <= PASS_THRESHOLD if all_layers else None
            rows.append(row | _provenance(trial, record))
    return pd.DataFrame(rows)


def curvature(results: Results) -> pd.DataFrame:
    """Return the rank correlation, over images, of the change of the gradient and ε‖H·sign‖.

    ``curvature`` is the mean of ε‖H·sign‖ / ‖gradient‖. ``correlation_with_intersection`` is its rank correlation with the intersection.
    """
    import pandas as pd
    from scipy import stats

    rows = []
    for trial, record in results.of(MeasureCurvature):
        for line in record.rows:
            columns = ("gradient_change", "predicted_change", "gradient_norm", "intersection")
            change, predicted, norm, shared = (_numbers(line[c]) for c in columns)
            row = {name: line[name] for name in ("beta", "direction", "epsilon")} | {"n": len(change)}
            rho = float(stats.spearmanr(change, predicted).statistic)
            if np.isfinite(rho) and len(change) >= 4:
                found = fisher_z(rho, len(change), "test examples", "spearman")
                row |= {"spearman": found.value, "spearman_low": found.low, "spearman_high": found.high}
            relative = predicted / np.maximum(norm, 1e-12)
            row |= _interval("curvature", relative)
            row |= _interval("relative_change", change / np.maximum(norm, 1e-12))
            row |= _interval("intersection", shared)
            scored = np.isfinite(shared)
            if scored.any() and np.ptp(shared[scored]):
                row["correlation_with_intersection"] = float(stats.spearmanr(relative[scored], shared[scored]).statistic)
            rows.append(row | _provenance(trial, record))
    return pd.DataFrame(rows)


def gradient_change(results: Results) -> pd.DataFrame:
    """Return one row per image: the change of the gradient at the smallest budget, and ε‖H·sign‖."""
    import pandas as pd

    rows = []
    for trial, record in results.of(MeasureCurvature):
        for line in record.rows:
            if line["epsilon"] == min(trial.epsilons):
                row = {name: line[name] for name in ("beta", "direction", "epsilon")} | _provenance(trial, record)
                columns = ("image", "gradient_change", "predicted_change", "gradient_norm")
                rows += [row | dict(zip(columns, each, strict=True)) for each in zip(*(line[c] for c in columns), strict=True)]
    return pd.DataFrame(rows)


def curvature_drop(results: Results) -> pd.DataFrame:
    """Return ε‖H·sign‖ / ‖gradient‖ of the smallest β above 0 minus that of the largest β, paired by image."""
    import pandas as pd

    rows = []
    for trial, record in results.of(MeasureCurvature):
        betas = sorted({line["beta"] for line in record.rows} - {0.0})
        if len(betas) < 2:
            continue
        for first in record.rows:
            if first["beta"] != betas[0]:
                continue
            same = ("direction", "epsilon")
            last = next(row for row in record.rows if row["beta"] == betas[-1] and all(row[name] == first[name] for name in same))
            relative = [_numbers(row["predicted_change"]) / np.maximum(_numbers(row["gradient_norm"]), 1e-12) for row in (first, last)]
            found = student_t(relative[0] - relative[1], "test examples")
            row = {name: first[name] for name in same} | {"beta": betas[0], "reference_beta": betas[-1]}
            rows.append(row | {"value": found.value, "low": found.low, "high": found.high, "n": found.n} | _provenance(trial, record))
    return pd.DataFrame(rows)


def influence(results: Results) -> pd.DataFrame:
    """Return the rank correlation of influences before and after a perturbation, and the overlap of the five most helpful examples."""
    import pandas as pd

    rows = []
    for trial, record in results.of(MeasureInfluence):
        for line in record.rows:
            kept = np.array(line["label_kept"], dtype=bool)
            row = {"attack": line["attack"], "epsilon": line["epsilon"], "label_kept_percent": 100 * kept.mean(), "n": int(kept.sum())}
            for measure in ("spearman", "top5_overlap"):
                row |= _interval(measure, _numbers(line[measure])[kept])
            rows.append(row | {"n_train": trial.n_train} | _provenance(trial, record))
    return pd.DataFrame(rows)


def metric_agreement(results: Results) -> pd.DataFrame:
    """Return the rank correlation, over images, of each measure with SSIM, the measure closest to human perception."""
    import pandas as pd
    from scipy import stats

    rows = []
    for trial, record in results.of(AttackImages):
        largest = max((row for row in record.rows if row["kind"] == "budget"), key=lambda row: row["epsilon"])
        kept = np.array(largest["label_kept"], dtype=bool) & np.isfinite(_numbers(largest["ssim"]))
        ssim = _numbers(largest["ssim"])[kept]
        for measure in ("intersection", "lens_recall", "spearman", "center_shift_px"):
            values = _numbers(largest[measure])[kept]
            if len(values) >= 4 and np.ptp(values) and np.ptp(ssim):
                rho = float(stats.spearmanr(values, ssim).statistic)
                row = {"method": method_name(trial), "attack": trial.attack, "epsilon": largest["epsilon"], "measure": measure}
                rows.append(row | {"correlation_with_ssim": rho, "n": len(values)} | _provenance(trial, record))
    return pd.DataFrame(rows)


def user_images(results: Results) -> pd.DataFrame:
    """Return one row per user image."""
    return results.frame(AttackUserImages, dataset=lambda t: t.image, network=lambda t: t.weights)


# --- differences -----------------------------------------------------------------------------------

Group = tuple[Any, ...]
"""What two series must share to be compared image by image."""
Key = tuple[str, str, float]
"""Method, attack, budget."""


def differences(results: Results) -> pd.DataFrame:
    """Return one row per comparison, method, attack, budget and network, with value, low, high and n.

    Intersections are fractions, 0..1. ``comparison`` is one of:

    - "random minus attack": intersection, for each random baseline;
    - "attack minus random (center shift)": in px;
    - "integrated gradients minus best other", "deeplift minus gradient", "smoothgrad minus gradient": intersection;
    - "LENS gain": see ``attack_series.lens_gain``;
    - "defended minus standard": intersection, of an adversarially trained or softplus network and the standard network;
    - "CIFAR-10 minus imagenette": intersection, rescaled as for the LENS gain.
    """
    import pandas as pd

    groups = _series(results)
    rows = [row for series in groups.values() for row in _within(series)]
    rows += list(_between(groups))
    table = pd.DataFrame(rows)
    if len(table) and "against" not in table:  # no comparison with another attack or network
        table["against"] = None
    return table


def _series(results: Results) -> dict[Group, dict[Key, AttackSeries]]:
    """Return all series. Of two trials that differ only in their number of images, the larger one is used."""
    groups: dict[Group, dict[Key, AttackSeries]] = {}
    for trial, record in results.of(AttackImages):
        clean = next(row for row in record.rows if row["kind"] == "clean")
        null = {name: _numbers(clean[f"null_{name}"]) for name in ("intersection", "lens_recall")}
        for row in record.rows:
            if row["kind"] == "budget" and row["epsilon"] > 0:
                values = {name: _numbers(row[name]) for name in (*null, "center_shift_px", "ssim")}
                kept = np.array(row["label_kept"], dtype=bool) & np.isfinite(values["intersection"])
                key = (method_name(trial), trial.attack, float(row["epsilon"]))
                group = groups.setdefault((trial.network.id, trial.seed, trial.k, trial.n_iterations), {})
                if key not in group or len(group[key].kept) < len(kept):
                    group[key] = AttackSeries(np.array(row["image"]), values, kept, null, _provenance(trial, record))
    return groups


def _within(series: dict[Key, AttackSeries]) -> Iterator[dict[str, Any]]:
    """Yield comparisons on the same images."""
    for (method, attack, epsilon), one in series.items():
        row = {"method": method, "attack": attack, "epsilon": epsilon}
        if attack in RANDOM:
            continue
        for random in RANDOM:
            other = series.get((method, random, epsilon))
            if other is None:
                continue
            against = row | {"against": random}
            if attack == "mass-center":
                shift = paired(one, other, "center_shift_px")
                yield from _row("attack minus random (center shift)", shift, (one, other), against)
            yield from _row("random minus attack", paired(other, one, "intersection"), (one, other), against)
        yield from _row("LENS gain", lens_gain(one), (one,), row)
        gradient, deeplift = (series.get((name, attack, epsilon)) for name in ("gradient", "deeplift"))
        if method.startswith("integrated-gradients") and gradient and deeplift:
            difference = difference_from_best(one, (gradient, deeplift))
            yield from _row("integrated gradients minus best other", difference, (one, gradient, deeplift), row)
        if method in ("deeplift", "smoothgrad") and gradient:
            yield from _row(f"{method} minus gradient", paired(one, gradient, "intersection"), (one, gradient), row)


def _between(groups: dict[Group, dict[Key, AttackSeries]]) -> Iterator[dict[str, Any]]:
    """Yield comparisons between networks and datasets."""
    each = [(key, series) for by_key in groups.values() for key, series in by_key.items()]
    for key, one in each:
        row = {"method": key[0], "attack": key[1], "epsilon": key[2]}
        for other_key, other in each:
            if other_key != key or one.provenance["device"] != other.provenance["device"]:
                continue
            if one.provenance["defense"] != "none" and _differ_only_in(one, other, "defense"):
                difference = unpaired(one.values["intersection"][one.kept], other.values["intersection"][other.kept])
                yield from _row("defended minus standard", difference, (one, other), row | {"against": "none"})
            datasets = one.provenance["dataset"], other.provenance["dataset"]
            if datasets == ("cifar10", "imagenette") and _differ_only_in(one, other, "dataset"):
                scaled = [rescaled(s.values["intersection"][s.kept], _mean(s.null["intersection"])) for s in (one, other)]
                yield from _row("CIFAR-10 minus imagenette", unpaired(*scaled), (one, other), row | {"against": "imagenette"})


def _differ_only_in(one: AttackSeries, other: AttackSeries, column: str) -> bool:
    """Return whether two networks differ at most in one column, and ``other`` is a standard network."""
    shared = [name for name in ("dataset", "network", "network_seed", "seed") if name != column]
    standard = other.provenance["defense"] == "none" and (column == "defense" or one.provenance["defense"] == "none")
    return standard and all(one.provenance[name] == other.provenance[name] for name in shared)


def _row(comparison: str, found: Estimate | None, series: tuple[AttackSeries, ...], row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row with the provenance of the first series and the trials of all."""
    if found is not None:
        estimate = {"value": found.value, "low": found.low, "high": found.high, "n": found.n}
        trials = unite(each.provenance[TRIALS] for each in series)
        yield {"comparison": comparison, **row, **estimate, **series[0].provenance, TRIALS: trials}


# --- shared by the tables --------------------------------------------------------------------------


def _provenance(trial: Any, record: TrialRecord) -> dict[str, Any]:
    """Return the columns that describe the network and the trial of a row."""
    return network_columns(trial.network) | {"seed": trial.seed, "protocol": trial.protocol, "device": record.device, TRIALS: trial.id}


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    """Return an array with NaN for missing numbers (images without a map)."""
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def _n_missing(values: np.ndarray) -> int:
    return int((~np.isfinite(values)).sum())


def _mean(values: np.ndarray) -> float:
    """Return the mean of the finite values, or NaN if there is none."""
    return float(np.mean(values[np.isfinite(values)])) if np.isfinite(values).any() else float("nan")


def _interval(name: str, values: np.ndarray) -> dict[str, float]:
    """Return the mean of the finite values and, for two or more, its interval."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return {name: float(values[0])} if len(values) else {}
    found: Estimate = student_t(values, "test examples")
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
