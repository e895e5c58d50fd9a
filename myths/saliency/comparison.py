"""Maps before and after, compared image by image: the rows of a trial. Values are lists in the order of the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from myths.saliency import metrics
from myths.saliency.attributions import COMPLETE, Explanation
from myths.saliency.attributions.gradient import score
from myths.saliency.maps import dullest_quarter, is_map
from myths.saliency.names import LEVEL
from myths.saliency.subjects import Subject

DIGITS = 5
WITH_NULL = ("intersection", "lens_recall", "spearman", "center_shift_px")


@dataclass(frozen=True)
class Seen:
    """Images as the network sees them: what it makes of the label, what it predicts, and the maps of the label's output."""

    images: Float[Tensor, "n c h w"]
    confidence: Float[Tensor, " n"]
    predicted: Int64[Tensor, " n"]
    maps: Float[Tensor, "n h w"]


def look(subject: Subject, explanation: Explanation, images: Float[Tensor, "n c h w"]) -> Seen:
    """Maps and predictions for perturbed ``images`` of a subject, explained by their original labels."""
    with torch.no_grad():
        chunks = images.split(explanation.chunk)
        logits = torch.cat([subject.network(chunk) for chunk in chunks])
    maps = explanation.maps(subject.network, images, subject.labels)
    return Seen(images, score(logits, subject.labels, "probability"), logits.argmax(1), maps)


def row(clean: Seen, now: Seen, subject: Subject, k: int) -> dict[str, Any]:
    """Lists over the images: image (place in the test set), the measures of ``likeness``, change of confidence in percentage points,
    label_kept, region_before and region_after (share of the map in its dullest quadrant), moved (ℓ∞, in levels of 255)."""
    region = dullest_quarter(clean.maps)
    both = {"before": clean.maps, "after": now.maps}
    shares = {when: torch.where(is_map(maps), (maps * region).mean((1, 2)), torch.nan) for when, maps in both.items()}
    return {
        "image": list(subject.indices),
        **likeness(clean.maps, now.maps, k),
        "confidence_change_pp": _listed(100 * (now.confidence - clean.confidence)),
        "label_kept": (now.predicted == subject.labels).tolist(),
        **{f"region_{when}": _listed(share) for when, share in shares.items()},
        "moved": _listed((now.images - clean.images).abs().amax((1, 2, 3)) / LEVEL),
    }


def likeness(one: Float[Tensor, "n h w"], other: Float[Tensor, "n h w"], k: int) -> dict[str, list[float]]:
    """Lists over the images of every measure in ``metrics``; center_shift_px in pixels."""
    return {
        "intersection": _listed(metrics.intersection(one, other, k)),
        "lens_recall": _listed(metrics.lens_recall(one, other, k)),
        "lens_precision": _listed(metrics.lens_precision(one, other, k)),
        "spearman": _listed(metrics.spearman(one, other)),
        "center_shift_px": _listed(metrics.center_shift(one, other)),
        "ssim": _listed(metrics.ssim(one, other)),
    }


def other_images(maps: Float[Tensor, "n h w"], k: int) -> dict[str, list[float]]:
    """What maps of different images have in common, as a null: each image's map beside the next one's."""
    return {f"other_{name}": values for name, values in likeness(maps, maps.roll(1, 0), k).items() if name in WITH_NULL}


def completeness(subject: Subject, explanation: Explanation) -> dict[str, list[float]]:
    """How far the sum of the attributions is from output(image) − output(reference), as a share of it; nothing for other methods."""
    if explanation.method not in COMPLETE:
        return {}
    summed = explanation.attribute(subject.network, subject.images, subject.labels).sum((1, 2, 3))
    with torch.no_grad():
        whole = score(subject.network(subject.images), subject.labels, explanation.output)
        empty = score(subject.network(explanation.reference.expand_as(subject.images)), subject.labels, explanation.output)
    return {"completeness_gap": _listed((summed - (whole - empty)).abs() / (whole - empty).abs().clamp_min(1e-12))}


def gallery(clean: Seen, now: Seen, shown: int) -> dict[str, np.ndarray]:
    """Some images and maps, before and after, for pictures."""
    arrays = {"images": clean.images, "perturbed": now.images, "maps": clean.maps, "perturbed_maps": now.maps}
    return {name: values[:shown].float().cpu().numpy() for name, values in arrays.items()}


def _listed(values: Tensor) -> list[float]:
    return [round(v, DIGITS) for v in values.double().tolist()]
