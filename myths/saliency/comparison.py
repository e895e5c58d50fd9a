"""Compare saliency maps before and after a perturbation, image by image. Columns are lists in the order of the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from myths.saliency import metrics
from myths.saliency.attributions import COMPLETE, Attribution
from myths.saliency.attributions.gradient import score
from myths.saliency.explained_model import ExplainedModel
from myths.saliency.maps import is_map, least_salient_quadrant
from myths.saliency.names import PIXEL_STEP

DIGITS = 5
"""Number of decimals that are stored."""
WITH_NULL = ("intersection", "lens_recall", "spearman", "center_shift_px")
"""Measures that are also computed for maps of different images."""


@dataclass(frozen=True)
class ExplainedImages:
    """Images with predictions and saliency maps of the original labels."""

    images: Float[Tensor, "n c h w"]
    confidence: Float[Tensor, " n"]
    predicted: Int64[Tensor, " n"]
    maps: Float[Tensor, "n h w"]


def explain_images(model: ExplainedModel, attribution: Attribution, images: Float[Tensor, "n c h w"]) -> ExplainedImages:
    """Compute saliency maps and predictions for ``images``, with respect to the original labels."""
    with torch.no_grad():
        batches = images.split(attribution.internal_batch_size)
        logits = torch.cat([model.network(batch) for batch in batches])
    maps = attribution.maps(model.network, images, model.labels)
    return ExplainedImages(images, score(logits, model.labels, "probability"), logits.argmax(1), maps)


def compare(clean: ExplainedImages, after: ExplainedImages, model: ExplainedModel, k: int) -> dict[str, Any]:
    """Return the columns of a comparison.

    Args:
        clean: The original images.
        after: The perturbed images.
        model: The network and the labels.
        k: Number of top pixels.

    Returns:
        image (index in the test set), the measures of ``map_similarity``, confidence_change_pp (percentage points), label_kept,
        region_before and region_after (fraction of the map in its least salient quadrant) and linf_levels (ℓ∞ norm of the perturbation, in
        levels of 255).
    """
    region = least_salient_quadrant(clean.maps)
    both = {"before": clean.maps, "after": after.maps}
    fractions = {when: torch.where(is_map(maps), (maps * region).mean((1, 2)), torch.nan) for when, maps in both.items()}
    return {
        "image": list(model.indices),
        **map_similarity(clean.maps, after.maps, k),
        "confidence_change_pp": rounded(100 * (after.confidence - clean.confidence)),
        "label_kept": (after.predicted == model.labels).tolist(),
        **{f"region_{when}": rounded(fraction) for when, fraction in fractions.items()},
        "linf_levels": rounded((after.images - clean.images).abs().amax((1, 2, 3)) / PIXEL_STEP),
    }


def map_similarity(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"], k: int) -> dict[str, list[float]]:
    """Return the values of every measure in ``metrics``; center_shift_px is in pixels."""
    return {
        "intersection": rounded(metrics.intersection(one, other, k)),
        "lens_recall": rounded(metrics.lens_recall(one, other, k)),
        "lens_precision": rounded(metrics.lens_precision(one, other, k)),
        "spearman": rounded(metrics.spearman(one, other)),
        "center_shift_px": rounded(metrics.center_shift(one, other)),
        "ssim": rounded(metrics.ssim(one, other)),
    }


def null_similarity(maps: Float[Tensor, "n h w"], k: int) -> dict[str, list[float]]:
    """Return the similarity of maps of different images, as a null: the map of each image compared with that of the next."""
    return {f"null_{name}": values for name, values in map_similarity(maps, maps.roll(1, 0), k).items() if name in WITH_NULL}


def completeness_error(model: ExplainedModel, attribution: Attribution) -> dict[str, list[float]]:
    """Return |Σ attributions − change| / |change|, where change is output(image) − output(baseline).

    The result is empty for methods whose attributions do not sum to the change.
    """
    if attribution.method not in COMPLETE:
        return {}
    total = attribution.attribute(model.network, model.images, model.labels).sum((1, 2, 3))
    with torch.no_grad():
        at_image = score(model.network(model.images), model.labels, attribution.output)
        at_baseline = score(model.network(attribution.baseline.expand_as(model.images)), model.labels, attribution.output)
    change = at_image - at_baseline
    return {"completeness_error": rounded((total - change).abs() / change.abs().clamp_min(1e-12))}


def example_arrays(clean: ExplainedImages, after: ExplainedImages, n: int) -> dict[str, np.ndarray]:
    """Return the first ``n`` images and maps, before and after the attack, for figures."""
    arrays = {"images": clean.images, "perturbed": after.images, "maps": clean.maps, "perturbed_maps": after.maps}
    return {name: values[:n].float().cpu().numpy() for name, values in arrays.items()}


def rounded(values: Tensor) -> list[float]:
    """Return numbers as they are stored."""
    return [round(v, DIGITS) for v in values.double().tolist()]
