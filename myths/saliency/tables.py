"""Tables. Column names carry units (px, pp for percentage points, percent).

Means are over the images that keep their label and have a map, with 95 % intervals over these images: of Student's t, and for shares of a
map that ``estimate.mean_of_shares`` splits into untouched and other images. Images with a map that is constant or not finite are not
scored; ``n_without_map`` counts them. Trials that attack different images in the same way are united.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.lab.estimate import CONFIDENCE, Estimate, bootstrap, fisher_z, mean_of_shares, student_t
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.tables import TRIALS, unite
from myths.saliency.attack_series import (
    AttackSeries,
    lens_gain,
    paired,
    paired_rescaled,
    paired_values,
    random_minus_attack,
    random_minus_attack_by_lens,
    robuster_than_all,
    unpaired,
    untouched_by_one,
)
from myths.saliency.names import CHANGES, GEOMETRIC, GEOMETRIC_METHODS
from myths.saliency.trials import (
    AttackImages,
    AttackUserImages,
    ChangeImages,
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
SHARES = ("intersection", "lens_recall", "lens_precision", "top5_overlap")
"""Measures from 0 to 1 that are 1 if nothing changed."""
CORRELATIONS = ("spearman", "ssim")
"""Measures from -1 to 1."""
PASS_THRESHOLD = 0.5
"""A method passes parameter randomization if its rank correlation with maps of a random network is at most this (upper end)."""
RANDOM = ("random", "random-walk")


def networks(results: Results) -> pd.DataFrame:
    """Return the networks that are explained, with their accuracy."""
    import pandas as pd

    dataset, defense = (lambda t: t.dataset), (lambda t: t.defense)
    given = results.frame(EvaluatePretrained, dataset=dataset, defense=defense, network=lambda t: t.weights)
    frames = [results.frame(TrainNetwork, defense=defense), given]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def attacks(results: Results) -> pd.DataFrame:
    """Return one row per attack, method and budget (0: control), with chance and the null similarity."""
    import pandas as pd

    rows = []
    for attacked in _united(results):
        trial, clean = attacked.trial, attacked.clean
        for epsilon, line in attacked.budgets.items():
            kept, shared = line["label_kept"].astype(bool), line["intersection"]
            scored = shared[kept & np.isfinite(shared)]
            touched = scored[scored < 1]
            row = {"method": method_name(trial), "attack": trial.attack, "epsilon": epsilon, "images": len(kept)}
            row |= {"label_kept_percent": 100 * kept.mean(), "n": len(scored), "n_without_map": _n_missing(shared)}
            row |= {"k": attacked.k, "chance": attacked.k / attacked.pixels}
            row |= {name: _mean(values) for name, values in clean.items() if name.startswith("null_")}
            row |= {"min_intersection": float(np.fmin.reduce(shared)), "max_linf_levels": line["linf_levels"].max()}
            row |= {"n_untouched": len(scored) - len(touched), "n_touched": len(touched)}
            if len(touched):
                found = mean_of_shares(touched, unchanged=0.0)
                row |= {"touched": found.value, "touched_low": found.low, "touched_high": found.high}
                row["touched_sd"] = touched.std(ddof=1) if len(touched) > 1 else np.nan
            for measure in MEASURES:
                row |= _interval(measure, line[measure][kept])
            row |= {"attack_seconds": attacked.seconds, "internal_batch_size": attacked.internal_batch_size}
            rows.append(row | attacked.provenance)
    return pd.DataFrame(rows)


def completeness_error(results: Results) -> pd.DataFrame:
    """Return the median completeness error over images per method: |Σ attributions − change of the output| in percent of the change.

    The images are those of the top-k attack.
    """
    import pandas as pd

    rows = []
    for attacked in _united(results):
        trial, errors = attacked.trial, attacked.clean.get("completeness_error", np.array([]))
        if len(errors) and trial.attack == "top-k":
            rng = np.random.default_rng(0)
            median = bootstrap(lambda i, errors=errors: np.median(errors[i], axis=1), len(errors), "test examples", rng, 2000)  # type: ignore[misc]
            row = {"method": method_name(trial), "n_steps": trial.n_steps, "n": len(errors)} | attacked.provenance
            row |= {"error_percent": 100 * median.value, "error_low_percent": 100 * median.low, "error_high_percent": 100 * median.high}
            rows.append(row)
    return pd.DataFrame(rows)


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
    for attacked in _united(results):
        epsilon = max(attacked.budgets)
        line = attacked.budgets[epsilon]
        kept = line["label_kept"].astype(bool) & np.isfinite(line["ssim"])
        ssim = line["ssim"][kept]
        for measure in ("intersection", "lens_recall", "spearman", "center_shift_px"):
            values = line[measure][kept]
            if len(values) >= 4 and np.ptp(values) and np.ptp(ssim):
                rho = float(stats.spearmanr(values, ssim).statistic)
                row = {"method": method_name(attacked.trial), "attack": attacked.trial.attack, "epsilon": epsilon, "measure": measure}
                rows.append(row | {"correlation_with_ssim": rho, "n": len(values)} | attacked.provenance)
    return pd.DataFrame(rows)


def everyday_changes(results: Results) -> pd.DataFrame:
    """Return one row per method and everyday change: what is left of the top pixels after the map is moved back.

    ``ceiling`` is what moving the map itself there and back leaves.
    """
    import pandas as pd

    rows = []
    for trial, record in results.of(ChangeImages):
        for line in record.rows:
            kept, shared = np.array(line["label_kept"], dtype=bool), _numbers(line["intersection"])
            row = {"method": trial.method, "layer": trial.layer, "change": line["change"], "k": trial.k, "images": len(kept)}
            row |= {"label_kept_percent": 100 * kept.mean(), "n": int((kept & np.isfinite(shared)).sum())}
            row |= {"n_without_map": _n_missing(shared)}
            for measure in ("intersection", "lens_recall", "ceiling"):
                row |= _interval(measure, _numbers(line[measure])[kept])
            rows.append(row | _provenance(trial, record))
    return pd.DataFrame(rows)


def everyday_differences(results: Results) -> pd.DataFrame:
    """Return the intersection under everyday changes and its differences, paired by image. Images count that keep their label in all.

    ``comparison`` is one of:

    - "all changes": the mean over all changes, for each method;
    - "all changes, LENS": the same by LENS recall;
    - "Grad-CAM minus other": the mean over all changes, of Grad-CAM less each other method;
    - "geometric minus photometric": the mean over shift and rotation less that over JPEG and brightness, for each method. The intervals
      of ``GEOMETRIC_METHODS`` methods are simultaneous (Bonferroni).

    The intersection after a motion is divided by the ceiling.
    """
    import pandas as pd

    groups: dict[Group, dict[str, tuple[AttackSeries, AttackSeries]]] = {}
    for trial, record in results.of(ChangeImages):
        if set(trial.changes) == set(CHANGES):
            groups.setdefault((trial.network.id, trial.seed, trial.k), {})[trial.method] = _everyday_series(trial, record)
    rows: list[dict[str, Any]] = []
    for group in groups.values():
        for method, (geometric, photometric) in group.items():
            row = {"method": method}
            for comparison, measure in (("all changes", "mean"), ("all changes, LENS", "lens")):
                values = geometric.values[measure][geometric.kept]
                rows += _row(comparison, student_t(values, "test examples") if len(values) > 1 else None, (geometric,), row)
            simultaneous = 1 - (1 - CONFIDENCE) / GEOMETRIC_METHODS
            difference = paired(geometric, photometric, "left", simultaneous)
            rows += _row("geometric minus photometric", difference, (geometric,), row)
            if method != "grad-cam" and "grad-cam" in group:
                camera = group["grad-cam"][0]
                rows += _row("Grad-CAM minus other", paired(camera, geometric, "mean"), (camera, geometric), row)
    return pd.DataFrame(rows)


def _everyday_series(trial: ChangeImages, record: TrialRecord) -> tuple[AttackSeries, AttackSeries]:
    """Return the images of a trial under geometric and under photometric changes; "mean" and "lens" are over all changes in both."""
    lines = {row["change"]: row for row in record.rows}
    shared = {change: _numbers(line["intersection"]) for change, line in lines.items()}
    kept = np.all([line["label_kept"] for line in lines.values()], axis=0) & np.isfinite(list(shared.values())).all(0)
    left = {change: np.minimum(1, values / np.maximum(_numbers(lines[change]["ceiling"]), 1e-9)) for change, values in shared.items()}
    mean, lens = np.mean(list(left.values()), axis=0), np.mean([_numbers(line["lens_recall"]) for line in lines.values()], axis=0)
    images, provenance = np.array(record.rows[0]["image"]), _provenance(trial, record)
    geometric, photometric = (
        {"left": np.mean([left[change] for change in CHANGES if (change in GEOMETRIC) == moves], axis=0), "mean": mean, "lens": lens}
        for moves in (True, False)
    )
    return AttackSeries(images, geometric, kept, {}, provenance), AttackSeries(images, photometric, kept, {}, provenance)


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

    - "random minus attack": intersection, for each random baseline; see ``attack_series.random_minus_attack``;
    - "random minus attack, LENS": the same by LENS recall, rescaled; see ``attack_series.random_minus_attack_by_lens``;
    - "attack minus random (center shift)": in px;
    - "integrated gradients minus best other": see ``attack_series.robuster_than_all``;
    - "untouched by integrated gradients": see ``attack_series.untouched_by_one``;
    - "deeplift minus gradient", "smoothgrad minus gradient": intersection;
    - "LENS gain": see ``attack_series.lens_gain``;
    - "defended minus standard": intersection, of an adversarially trained or softplus network and the standard network;
    - "defended minus standard, beyond the random walk": the same difference of what the attack changes beyond each random baseline;
    - "reduced minus full size": intersection of the same images and network, rescaled as for the LENS gain.
    """
    import pandas as pd

    groups = _series(results)
    rows = [row for series in groups.values() for row in _within(series)]
    rows += list(_between(groups))
    table = pd.DataFrame(rows)
    if len(table) and "against" not in table:  # no comparison with another attack or network
        table["against"] = None
    return table


@dataclass(frozen=True)
class _Attacked:
    """An attack on one method of one network, over the images of all trials that differ only in their images."""

    trial: AttackImages
    """The trial with the most images."""
    budgets: Mapping[float, Mapping[str, Any]]
    """Arrays over the images for each budget, in ascending order."""
    clean: Mapping[str, Any]
    """Arrays over the images that do not depend on the budget."""
    k: int
    pixels: int
    seconds: float
    internal_batch_size: int
    provenance: dict[str, Any]


def _united(results: Results) -> Iterator[_Attacked]:
    """Yield the attacks. Of an image that several trials attack, the trial with the most images counts."""
    groups: dict[Group, list[tuple[AttackImages, TrialRecord]]] = {}
    for trial, record in results.of(AttackImages):
        same = replace(trial, images=1, first=0, stop_at=0.0)
        groups.setdefault((same.id, record.device), []).append((trial, record))
    for group in groups.values():
        group.sort(key=lambda item: (-item[0].images, item[0].first, item[0].stop_at))
        seen: set[int] = set()
        budgets: dict[float, list[dict[str, Any]]] = {}
        cleans, used = [], []
        for trial, record in group:
            lines = [row for row in record.rows if row["kind"] == "budget"]
            new = [place for place, image in enumerate(lines[0]["image"]) if image not in seen]
            if new:
                seen |= set(lines[0]["image"])
                used.append((trial, record, lines[0]))
                cleans.append(_arrays(next(row for row in record.rows if row["kind"] == "clean"), new))
                for line in lines:
                    budgets.setdefault(line["epsilon"], []).append(_arrays(line, new))
        trial, record, line = used[0]
        clean = next(row for row in record.rows if row["kind"] == "clean")
        whole = replace(trial, images=len(seen), first=0) if len(used) > 1 else trial
        provenance = _provenance(trial, record) | {"protocol": whole.protocol, "n_iterations": trial.n_iterations}
        yield _Attacked(
            trial, {epsilon: _joined(parts) for epsilon, parts in sorted(budgets.items())}, _joined(cleans), clean["k"], clean["pixels"],
            sum(line["attack_seconds"] for _, _, line in used), line["internal_batch_size"],
            provenance | {"image_size": round(clean["pixels"] ** 0.5), TRIALS: unite(trial.id for trial, _, _ in used)},
        )  # fmt: skip


def _arrays(row: Mapping[str, Any], places: list[int]) -> dict[str, np.ndarray]:
    """Return the lists of a row as arrays, at some places."""
    lists = {name: values for name, values in row.items() if isinstance(values, list)}
    return {name: (np.array(v) if name == "image" else _numbers(v))[places] for name, v in lists.items() if v}


def _joined(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _series(results: Results) -> dict[Group, dict[Key, AttackSeries]]:
    """Return all series. Of two schedules that take the same number of steps, the one with more images is used."""
    groups: dict[Group, dict[Key, AttackSeries]] = {}
    for attacked in _united(results):
        trial = attacked.trial
        null = {name: attacked.clean[f"null_{name}"] for name in ("intersection", "lens_recall")}
        for epsilon, line in attacked.budgets.items():
            if epsilon > 0:
                values = {name: line[name] for name in (*null, "center_shift_px", "ssim")}
                kept = line["label_kept"].astype(bool) & np.isfinite(values["intersection"])
                key = (method_name(trial), trial.attack, float(epsilon))
                group = groups.setdefault((trial.network.id, trial.seed, trial.k, trial.n_iterations, trial.image_size), {})
                if key not in group or len(group[key].kept) < len(kept):
                    group[key] = AttackSeries(line["image"], values, kept, null, attacked.provenance)
    return groups


def _within(series: dict[Key, AttackSeries]) -> Iterator[dict[str, Any]]:
    """Yield comparisons on the same images."""
    for (method, attack, epsilon), one in series.items():
        row = {"method": method, "attack": attack, "epsilon": epsilon}
        yield from _row("LENS gain", lens_gain(one), (one,), row)
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
            yield from _row("random minus attack", random_minus_attack(other, one), (one, other), against)
            yield from _row("random minus attack, LENS", random_minus_attack_by_lens(other, one), (one, other), against)
        gradient, deeplift = (series.get((name, attack, epsilon)) for name in ("gradient", "deeplift"))
        if method.startswith("integrated-gradients") and gradient and deeplift:
            others = (gradient, deeplift)
            yield from _row("integrated gradients minus best other", robuster_than_all(one, others), (one, *others), row)
            yield from _row("untouched by integrated gradients", untouched_by_one(one, others), (one, *others), row)
        if method in ("deeplift", "smoothgrad") and gradient:
            yield from _row(f"{method} minus gradient", paired(one, gradient, "intersection"), (one, gradient), row)


def _between(groups: dict[Group, dict[Key, AttackSeries]]) -> Iterator[dict[str, Any]]:
    """Yield comparisons between networks and between sizes of the images."""
    for group, of_group in groups.items():
        for other_group, of_other in groups.items():
            for key, one in of_group.items():
                other = of_other.get(key)
                if group == other_group or other is None or one.provenance["device"] != other.provenance["device"]:
                    continue
                row = {"method": key[0], "attack": key[1], "epsilon": key[2]}
                if _is_defense_of(one, other) and group[2:] == other_group[2:]:
                    difference = unpaired(one.values["intersection"][one.kept], other.values["intersection"][other.kept])
                    yield from _row("defended minus standard", difference, (one, other), row | {"against": "none"})
                    yield from _beyond_random(key, of_group, of_other, row)
                fraction = one.provenance["image_size"] / other.provenance["image_size"]
                same = group[:2] == other_group[:2] and group[3] == other_group[3]  # network, seed and number of steps
                if same and fraction < 1:
                    found = paired_rescaled(one, other)
                    yield from _row(
                        "reduced minus full size", found, (one, other), row | {"against": f"{other.provenance['image_size']} px"}
                    )


def _beyond_random(
    key: Key, defended: dict[Key, AttackSeries], standard: dict[Key, AttackSeries], row: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield what an attack changes beyond each random baseline in the defended network, less the same in the standard network."""
    method, attack, epsilon = key
    for random in RANDOM:
        series = [by_key.get((method, name, epsilon)) for by_key in (defended, standard) for name in (attack, random)]
        attacked, walked, attacked_standard, walked_standard = series
        if attack in RANDOM or not (attacked and walked and attacked_standard and walked_standard):
            continue
        beyond = paired_values(walked, attacked, "intersection"), paired_values(walked_standard, attacked_standard, "intersection")
        names = "defended minus standard, beyond the random walk"
        yield from _row(names, unpaired(*beyond), (attacked, walked, attacked_standard, walked_standard), row | {"against": random})


def _is_defense_of(one: AttackSeries, other: AttackSeries) -> bool:
    """Return whether one network is a defended version of the other, which is not defended."""
    shared = ("dataset", "network", "network_seed", "seed", "image_size")
    defended = one.provenance["defense"] != "none" and other.provenance["defense"] == "none"
    return defended and all(one.provenance[name] == other.provenance[name] for name in shared)


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
    if name in SHARES:
        found = mean_of_shares(values)
    else:
        found = student_t(values, "test examples")
        if name in CORRELATIONS:  # rounded numbers may pass 1
            found = replace(found, low=min(found.value, max(found.low, -1.0)), high=max(found.value, min(found.high, 1.0)))
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
