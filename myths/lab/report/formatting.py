"""Format numbers for pages: as many digits as the interval supports, typographic minus signs, and units."""

from __future__ import annotations

import math
import re

from myths.lab.claim import Claim
from myths.lab.claim_record import ClaimRecord
from myths.lab.estimate import Estimate
from myths.lab.meta_analysis import Pooled, Replication
from myths.lab.verdict import Strength

SPACE = "\u202f"
"""Narrow no-break space."""

PAPER_SOURCE_TEXT = {
    "read": "read in the paper or in the authors' repository",
    "secondary source": "read in a summary, review or list of the paper, not in the paper itself",
    "computed": "computed from data that the authors published",
    "from memory": "quoted from memory, not read again",
    "from memory, unverified": "quoted from memory and uncertain, so no verdict depends on it",
}
"""Meaning of each value of ``Claim.paper_value_source``."""

STRENGTH_TEXT: dict[Strength, str] = {
    "paper": "with the paper's protocol",
    "calibrated": "with a reduced protocol that a calibration shows to give the same number",
    "recomputed": "recomputed from the authors' published data",
    "reduced": "with a reduced protocol on real data: effects usually carry over, absolute values do not",
    "stand-in": "on stand-in data: no conclusion is drawn",
}
"""Meaning of each strength."""


def format_number(value: float, decimals: int | None = None) -> str:
    """Format a number with ``decimals`` decimals, or with up to six significant digits if None."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if decimals is None:
        text = f"{value:,.0f}" if value == int(value) and abs(value) < 1e12 else f"{value:,.6g}"
    else:
        text = f"{value:,.{decimals}f}"
        if value and not float(text.replace(",", "")):
            text = f"{value:.1g}"
    whole, dot, rest = text.partition(".")
    if len(whole.lstrip("-")) == 5:  # four digits have no comma: 2021
        whole = whole.replace(",", "")
    return f"{whole}{dot}{rest}".replace("-", "−")


def strip_period(sentence: str) -> str:
    """Return a sentence without its final period."""
    return sentence.strip().removesuffix(".")


def with_unit(text: str, unit: str) -> str:
    """Join a number and its unit with a no-break space."""
    return f"{text}{SPACE}{shown_unit(unit)}" if unit else text


def shown_unit(unit: str) -> str:
    """Return a unit as pages show it: the letter x, which some units of claims use, becomes ×."""
    return re.sub(r"(?<!\S)x(?!\S)", "×", unit)


def format_criterion(text: str) -> str:
    """Return ``ClaimRecord.criterion`` as pages show it, with typographic minus signs."""
    return re.sub(r"(?:(?<=\de)|(?<!\w))-(?=\d)", "−", shown_unit(text))


def no_break_percent(text: str) -> str:
    """Replace the space between a number and its percent sign by a no-break space."""
    return re.sub(r"(?<=\d) (?=%)", SPACE, text)


def decimals_of(estimate: Estimate) -> int | None:
    """Return the number of decimals that shows two digits of the interval's width, or None without a finite interval."""
    width = estimate.high - estimate.low
    if not width or not math.isfinite(width):
        return None
    return min(6, max(0, 1 - math.floor(math.log10(width))))


def value_with_unit(estimate: Estimate, unit: str) -> str:
    """Return the measured number with its unit."""
    return with_unit(format_value(estimate), unit)


def format_value(estimate: Estimate) -> str:
    """Format the measured number with two digits of its interval's width, or with four digits if it is exact."""
    decimals = decimals_of(estimate)
    size = abs(estimate.value)
    if decimals is None and 0 < size < 1e4 and size != int(size):
        return format_number(float(f"{estimate.value:.4g}"))
    return format_number(estimate.value, decimals)


def format_interval(estimate: Estimate) -> str:
    """Return the interval in brackets; empty if the estimate is exact."""
    decimals = decimals_of(estimate)
    if estimate.source_of_variation == "exact" and estimate.low == estimate.high:
        return ""
    return f"[{format_number(estimate.low, decimals)}, {format_number(estimate.high, decimals)}]"


def format_pooled(pooled: Pooled, unit: str = "") -> str:
    """Return a number combined from several runs with its unit and interval."""
    value = format_number(pooled.value, _decimals_of_pooled(pooled))
    return f"{with_unit(value, unit)} {_pooled_interval(pooled, pooled.low, pooled.high)}"


def format_heterogeneity(pooled: Pooled) -> tuple[str, str]:
    """Return the interval for another run, and the share of the variance between runs that their intervals do not explain."""
    return _pooled_interval(pooled, pooled.predicted_low, pooled.predicted_high), f"I² {100 * pooled.i_squared:.0f} %"


def _pooled_interval(pooled: Pooled, low: float, high: float) -> str:
    decimals = _decimals_of_pooled(pooled)
    return f"[{format_number(low, decimals)}, {format_number(high, decimals)}]"


def _decimals_of_pooled(pooled: Pooled) -> int | None:
    return decimals_of(Estimate(pooled.value, pooled.low, pooled.high, "seeds", len(pooled.runs)))


def format_replication(replication: Replication) -> str:
    """Return in how many independent runs a claim was reproduced, and the combined number; empty if there is one run.

    Example: "reproduced on 3 of 4 machines, pooled 1.4 x [1.2, 1.7]".
    """
    first, n = replication.results[0].record, len(replication.independent)
    if n < 2:
        return ""
    verb = "held" if first.kind == "control" else "reproduced"
    where = (
        f"on {replication.n_reproduced} of {n} machines"
        if replication.is_on_as_many_machines
        else (f"in {replication.n_reproduced} of {n} independent runs")
    )
    return f"{verb} {where}" + (f", pooled {format_pooled(replication.pooled, first.unit)}" if replication.pooled else "")


def format_source_of_variation(estimate: Estimate) -> str:
    """Return the source of variation and the sample size: "over seeds, n = 5"."""
    over = "" if estimate.source_of_variation == "exact" else "over "
    return f"{over}{estimate.source_of_variation}, n = {estimate.n:,}"


def format_paper(claim: Claim | ClaimRecord) -> str:
    """Return the paper's number with its unit and the range that the paper states; a dash if it states neither."""
    return " ".join(part for part in (paper_number(claim), paper_range(claim)) if part) or "–"


def paper_number(claim: Claim | ClaimRecord) -> str:
    """Return the paper's number with its unit; empty if it states none."""
    return "" if claim.paper is None else with_unit(format_reported(claim.paper), claim.unit)


def paper_range(claim: Claim | ClaimRecord) -> str:
    """Return the range that the paper states, in brackets; empty if it states none. The unit is added if there is no number."""
    ends = [claim.paper_low, claim.paper_high]
    if ends == [None, None]:
        return ""
    low, high = ("" if end is None else format_reported(end, *(e for e in ends if e is not None)) for end in ends)
    return with_unit(f"[{low}…{high}]", claim.unit if claim.paper is None else "")


def format_reported(value: float, *others: float) -> str:
    """Format a number of the paper with all its digits and at least as many decimals as ``others``."""
    decimals = max(len(f"{float(v):.7f}".rstrip("0").partition(".")[2]) for v in (value, *others))
    return format_number(float(value), decimals)


def humanize(name: str) -> str:
    """Return the name of a column or file as words."""
    return name.replace("_", " ").replace("-", " ")


def format_energy(joules: float) -> str:
    """Format an energy given in joules; from 0.1 Wh on in watt-hours."""
    return f"{format_number(joules / 3600, 1)}{SPACE}Wh" if joules >= 360 else f"{joules:.0f}{SPACE}J"


def format_duration(seconds: float) -> str:
    """Format a duration given in seconds, in the most suitable unit."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f}{SPACE}{unit}"
    return f"{seconds:.0f}{SPACE}s"
