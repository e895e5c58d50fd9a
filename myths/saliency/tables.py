"""Results as tidy tables; quantities carry their unit in the column's name (px, pp for percentage points, percent).

Means are over the images that keep their label and have a map, with Student's t intervals over these images (95 %). Images of which a
map is empty, constant or not finite are not scored: ``no_map`` counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.lab.estimate import Estimate, bootstrap, fisher_z, student_t
from myths.lab.store import Results, TrialRecord
from myths.lab.tables import TRIALS
from myths.saliency.networks import Pretrained, TrainNetwork
from myths.saliency.own import Attack
from myths.saliency.trials import AttackImages, Curvature, Influence, RandomizeParameters, method_name, of_network

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("intersection", "lens_recall", "lens_precision", "spearman", "center_shift_px", "ssim", "confidence_change_pp", "region_after")
PASSES = 0.5
"""A method passes when the mean rank correlation with the maps of a random network is surely not above this."""


def networks(results: Results) -> pd.DataFrame:
    """The networks that are explained, and how good they are."""
    import pandas as pd

    dataset, defence = (lambda t: t.dataset), (lambda t: t.defence)
    frames = [results.frame(TrainNetwork, defence=defence), results.frame(Pretrained, dataset=dataset, defence=defence)]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def attacks(results: Results) -> pd.DataFrame:
    """What each attack does to the maps of each method at each budget (0: the control), with chance and another image's map beside it."""
    import pandas as pd

    rows = []
    for trial, record in results.of(AttackImages):
        lines = record.rows
        clean = next(line for line in lines if line["kind"] == "clean")
        for line in lines:
            if line["kind"] != "budget":
                continue
            kept = np.array(line["label_kept"], dtype=bool)
            row = {"method": method_name(trial), "attack": trial.attack, "epsilon": line["epsilon"], "images": len(kept)}
            common = numbers(line["intersection"])
            row |= {"label_kept_percent": 100 * kept.mean(), "n": int((kept & np.isfinite(common)).sum()), "no_map": no_map(common)}
            row |= {"k": clean["k"], "chance": clean["k"] / clean["pixels"]}
            null = {name.removeprefix("other_"): numbers(values) for name, values in clean.items() if name.startswith("other_")}
            row |= {f"other_image_{name}": mean(values) for name, values in null.items()}
            row |= {"least_intersection": float(np.fmin.reduce(common)), "most_moved": max(line["moved"])}
            for measure in MEASURES:
                row |= _interval(measure, numbers(line[measure])[kept])
            row |= {"iterations": trial.iterations, "attack_seconds": line["attack_seconds"], "chunk": line["chunk"]}
            rows.append(row | about(trial, record))
    return pd.DataFrame(rows)


def completeness(results: Results) -> pd.DataFrame:
    """How far the attributions of an image are from adding up to what they explain: the median over images, as a share of it."""
    import pandas as pd

    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for trial, record in results.of(AttackImages):
        lines = record.rows
        gaps = np.array(next(line for line in lines if line["kind"] == "clean").get("completeness_gap", []))
        if len(gaps):
            row = {"method": method_name(trial), "passes": trial.map_passes, "n": len(gaps)} | about(trial, record)
            median = bootstrap(lambda i, gaps=gaps: np.median(gaps[i], axis=1), len(gaps), "test examples", np.random.default_rng(0), 2000)  # type: ignore[misc]
            row |= {"gap_percent": 100 * median.value, "gap_low_percent": 100 * median.low, "gap_high_percent": 100 * median.high}
            key = (row["method"], trial.network.id, trial.seed)
            if key not in rows or row["n"] <= rows[key]["n"]:  # the images that all attacks share, in whatever order trials ended
                rows[key] = row
    return pd.DataFrame(list(rows.values()))


def sanity(results: Results) -> pd.DataFrame:
    """Maps of the trained network against those of networks with the last layers, up to all, drawn anew (Adebayo et al. 2018)."""
    import pandas as pd

    rows = []
    for trial, record in results.of(RandomizeParameters):
        lines = record.rows
        for line in lines:
            row = {"method": trial.method, "layers": line["layers"], "of": line["of"], "all_layers": line["layers"] == line["of"]}
            row |= {"n": len(line["spearman"]) - no_map(numbers(line["spearman"])), "no_map": no_map(numbers(line["spearman"]))}
            for measure in ("spearman", "ssim", "intersection"):
                row |= _interval(measure, numbers(line[measure]))
            row["passes"] = row.get("spearman_high", np.nan) <= PASSES if row["all_layers"] else None
            rows.append(row | about(trial, record))
    return pd.DataFrame(rows)


def curvature(results: Results) -> pd.DataFrame:
    """How the change of the gradient goes along with ε‖H·sign‖ over images, and how curved the network is.

    ``curvature`` is ε‖H·sign‖ over the norm of the gradient, averaged; ``with_fragility`` its rank correlation with the intersection.
    """
    import pandas as pd
    from scipy import stats

    rows = []
    for trial, record in results.of(Curvature):
        lines = record.rows
        for line in lines:
            change, predicted, gradient, common = (numbers(line[c]) for c in ("change", "predicted", "gradient", "intersection"))
            row = {name: line[name] for name in ("sharpness", "direction", "epsilon")} | {"n": len(change)}
            rho = float(stats.spearmanr(change, predicted).statistic)
            if np.isfinite(rho) and len(change) >= 4:
                found = fisher_z(rho, len(change), "test examples", "spearman")
                row |= {"spearman": found.value, "spearman_low": found.low, "spearman_high": found.high}
            row |= _interval("curvature", predicted / np.maximum(gradient, 1e-12))
            row |= _interval("relative_change", change / np.maximum(gradient, 1e-12))
            row |= _interval("intersection", common)
            scored = np.isfinite(common)
            if scored.any() and np.ptp(common[scored]):
                row["with_fragility"] = float(stats.spearmanr((predicted / np.maximum(gradient, 1e-12))[scored], common[scored]).statistic)
            rows.append(row | about(trial, record))
    return pd.DataFrame(rows)


def gradient_change(results: Results) -> pd.DataFrame:
    """A row an image: how much the gradient changes at the smallest budget, and what ε‖H·sign‖ says."""
    import pandas as pd

    rows = []
    for trial, record in results.of(Curvature):
        for line in record.rows:
            if line["epsilon"] == min(trial.epsilons):
                row = {name: line[name] for name in ("sharpness", "direction", "epsilon")} | about(trial, record)
                columns = ("image", "change", "predicted", "gradient")
                rows += [row | dict(zip(columns, each, strict=True)) for each in zip(*(line[c] for c in columns), strict=True)]
    return pd.DataFrame(rows)


def curvature_drop(results: Results) -> pd.DataFrame:
    """ε‖H·sign‖ over the gradient's norm, of the smoothest softplus network less that of the sharpest, paired by image."""
    import pandas as pd

    rows = []
    for trial, record in results.of(Curvature):
        smooth = sorted({line["sharpness"] for line in record.rows} - {0.0})
        if len(smooth) < 2:
            continue
        for first in record.rows:
            if first["sharpness"] != smooth[0]:
                continue
            same = ("direction", "epsilon")
            last = next(x for x in record.rows if x["sharpness"] == smooth[-1] and all(x[name] == first[name] for name in same))
            relative = [numbers(x["predicted"]) / np.maximum(numbers(x["gradient"]), 1e-12) for x in (first, last)]
            found = student_t(relative[0] - relative[1], "test examples")
            row = {name: first[name] for name in same} | {"sharpness": smooth[0], "against_sharpness": smooth[-1]}
            rows.append(row | {"value": found.value, "low": found.low, "high": found.high, "n": found.n} | about(trial, record))
    return pd.DataFrame(rows)


def influence(results: Results) -> pd.DataFrame:
    """Influences of the training examples before and after: rank correlation, and how many of the five most helpful are the same."""
    import pandas as pd

    rows = []
    for trial, record in results.of(Influence):
        lines = record.rows
        for line in lines:
            kept = np.array(line["label_kept"], dtype=bool)
            row = {"attack": line["attack"], "epsilon": line["epsilon"], "label_kept_percent": 100 * kept.mean(), "n": int(kept.sum())}
            for measure in ("spearman", "top5_overlap"):
                row |= _interval(measure, numbers(line[measure])[kept])
            rows.append(row | {"train": trial.train} | about(trial, record))
    return pd.DataFrame(rows)


def measures(results: Results) -> pd.DataFrame:
    """How the other measures of damage go along with SSIM, the nearest here to what is perceived, over images (rank correlations)."""
    import pandas as pd
    from scipy import stats

    rows = []
    for trial, record in results.of(AttackImages):
        lines = record.rows
        largest = max((line for line in lines if line["kind"] == "budget"), key=lambda line: line["epsilon"])
        kept = np.array(largest["label_kept"], dtype=bool) & np.isfinite(numbers(largest["ssim"]))
        seen = numbers(largest["ssim"])[kept]
        for measure in ("intersection", "lens_recall", "spearman", "center_shift_px"):
            values = numbers(largest[measure])[kept]
            if len(values) >= 4 and np.ptp(values) and np.ptp(seen):
                rho = float(stats.spearmanr(values, seen).statistic)
                row = {"method": method_name(trial), "attack": trial.attack, "epsilon": largest["epsilon"], "measure": measure}
                rows.append(row | {"with_ssim": rho, "n": len(values)} | about(trial, record))
    return pd.DataFrame(rows)


def own_pictures(results: Results) -> pd.DataFrame:
    """The user's own pictures, a row each."""
    return results.frame(Attack, dataset=lambda t: t.image, network=lambda t: t.weights)


# --- what tables share -----------------------------------------------------------------------------


def about(trial: Any, record: TrialRecord) -> dict[str, Any]:
    """What every row says of how it came about."""
    told = {"seed": trial.seed, "protocol": trial.protocol, "device": record.device, TRIALS: trial.id}
    return of_network(trial.network) | told


def numbers(values: Sequence[float | None]) -> np.ndarray:
    """Return an array, NaN where there is no number: where an image has no map."""
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def no_map(values: np.ndarray) -> int:
    """Return how many images are not scored, because one of their maps is empty, constant or not finite."""
    return int((~np.isfinite(values)).sum())


def mean(values: np.ndarray) -> float:
    """Return the mean of the values that are there, NaN if none is."""
    return float(np.mean(values[np.isfinite(values)])) if np.isfinite(values).any() else float("nan")


def _interval(name: str, values: np.ndarray) -> dict[str, float]:
    """The mean and, from two values on, its interval."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return {name: float(values[0])} if len(values) else {}
    found: Estimate = student_t(values, "test examples")
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
