"""Digitized pruning curves of the paper, for figures. No claim uses a point that the paper's text does not state.

The curves for pruning by forgetting come from the authors' vector figure ``figures/removed_nk_all_datasets_ylim_5.pdf`` (increase of the
test error). The curve for random pruning was read from the pixels of their Fig. 5 with manually placed axes (± 0.1 points, 60 % by eye).
"""

from __future__ import annotations

LOSS_PP: dict[tuple[str, str], tuple[tuple[float, float], ...]] = {
    ("cifar10", "least forgotten first"): (
        (10, -0.04), (20, 0.01), (30, 0.12), (34, 0.13), (36, 0.23), (40, 0.26), (44, 0.37), (46, 0.34), (48, 0.74), (50, 0.76),
        (60, 1.83), (68, 5.35),
    ),
    ("permuted mnist", "least forgotten first"): (
        (25, 0.08), (50, 0.11), (58, 0.20), (67, 0.27), (75, 0.25), (83, 0.77), (85, 0.91), (87, 1.36), (88, 2.42), (90, 3.27),
        (92, 4.72),
    ),
    ("mnist", "least forgotten first"): (
        (25, 0.03), (50, 0.06), (75, 0.08), (83, 0.12), (92, 0.21), (93, 0.27), (95, 0.45), (96.7, 1.07), (98.2, 5.35),
    ),
    ("cifar10", "random"): ((10, 0.18), (20, 0.49), (30, 0.83), (34, 1.05), (40, 1.33), (46, 1.87), (50, 2.21), (54, 2.55), (60, 3.3)),
}  # fmt: skip
"""Maps (dataset, pruning order) to points (percentage pruned, accuracy loss in percentage points)."""
