"""Values of Ghorbani et al. 2019, Fig. 3 (ImageNet), digitized with errors of at most 0.02 and 1 px."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

MEASURES = ("intersection", "spearman", "center_shift_px")


@cache
def digitized_rows() -> list[dict[str, str | float]]:
    """Return one row per method, attack and budget (in units of 1/255), with the center shift in pixels of 227."""
    lines = Path(__file__).with_name("digitized.csv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [{"method": r["method"], "attack": r["attack"], **{name: float(r[name]) for name in ("epsilon", *MEASURES)}} for r in rows]


def digitized_value(method: str, attack: str, epsilon: float, measure: str = "intersection") -> float:
    """Return one digitized value. Raise StopIteration if there is none."""
    wanted = (method, attack, epsilon)
    return float(next(r[measure] for r in digitized_rows() if (r["method"], r["attack"], r["epsilon"]) == wanted))
