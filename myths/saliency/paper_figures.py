"""What Ghorbani et al. 2019 show for ImageNet, digitized from their figure: ± 0.02, ± 1 px."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

MEASURES = ("intersection", "spearman", "center_shift_px")


@cache
def digitized() -> list[dict[str, str | float]]:
    """A row for each method, attack and budget (levels of 255): intersection of the top 1,000, Spearman's ρ, center shift in px of 227."""
    lines = Path(__file__).with_name("digitized.csv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [{"method": r["method"], "attack": r["attack"], **{name: float(r[name]) for name in ("epsilon", *MEASURES)}} for r in rows]


def shown(method: str, attack: str, epsilon: float, measure: str = "intersection") -> float:
    """One digitized point. Raises StopIteration where there is none."""
    wanted = (method, attack, epsilon)
    return float(next(r[measure] for r in digitized() if (r["method"], r["attack"], r["epsilon"]) == wanted))
