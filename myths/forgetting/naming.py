"""What tables and claims call the order of a removal."""

from __future__ import annotations

LEAST_FORGOTTEN = "least forgotten first"


def order_name(ranked_by: str, order: str) -> str:
    """The order of a removal in words."""
    counts = {"lowest first": LEAST_FORGOTTEN, "highest first": "most forgotten first", "shuffled": "shuffled counts"}
    if ranked_by == "forgetting":
        return counts[order]
    return f"{ranked_by}, {order}" if ranked_by else order
