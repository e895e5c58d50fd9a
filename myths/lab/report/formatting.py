"""Numbers as a reader wants them: as many digits as the interval supports, real minus signs, the unit beside them."""

from __future__ import annotations

import math
import re

from myths.lab.claim import Claim
from myths.lab.claim_record import ClaimRecord
from myths.lab.estimate import Estimate

SPACE = "\u202f"
"""Narrow, and never the end of a line."""

PAPER_SOURCE_TEXT = {
    "read": "read in the paper or the authors' repository",
    "computed": "computed from what the authors published",
    "from memory": "recalled from the paper, not read again",
    "from memory, unverified": "recalled without confidence: nothing is decided by it",
}
"""What ``Claim.paper_value_source`` says of the paper's number."""


def format_number(value: float, decimals: int | None = None) -> str:
    """A number with so many decimals, or with up to six significant digits."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if decimals is None:
        text = f"{value:,.0f}" if value == int(value) and abs(value) < 1e12 else f"{value:.6g}"
    else:
        text = f"{value:,.{decimals}f}"
        if value and not float(text.replace(",", "")):
            text = f"{value:.1g}"
    whole, dot, rest = text.partition(".")
    if len(whole.lstrip("-")) == 5:  # four digits need no comma: 2,021 but not a year's
        whole = whole.replace(",", "")
    return f"{whole}{dot}{rest}".replace("-", "−")


def strip_period(sentence: str) -> str:
    """A sentence to be quoted or gone on from: without its full stop."""
    return sentence.strip().removesuffix(".")


def with_unit(text: str, unit: str) -> str:
    """A number and its unit, kept together."""
    return f"{text}{SPACE}{shown_unit(unit)}" if unit else text


def shown_unit(unit: str) -> str:
    """Return a unit as a page shows it: with the sign ×, which some units of claims write as a letter."""
    return re.sub(r"(?<!\S)x(?!\S)", "×", unit)


def format_criterion(text: str) -> str:
    """Return a criterion with its unit, as ``ClaimRecord.criterion`` has it, as a page shows it: with real minus signs."""
    return re.sub(r"(?:(?<=\de)|(?<!\w))-(?=\d)", "−", shown_unit(text))


def no_break_percent(text: str) -> str:
    """Return a text in which no line ends between a number and its percent sign."""
    return re.sub(r"(?<=\d) (?=%)", SPACE, text)


def decimals_of(estimate: Estimate) -> int | None:
    """Decimals that show two digits of the interval's width; None where nothing varies."""
    width = estimate.high - estimate.low
    if not width or not math.isfinite(width):
        return None
    return min(6, max(0, 1 - math.floor(math.log10(width))))


def value_with_unit(estimate: Estimate, unit: str) -> str:
    """The number measured here with its unit."""
    return with_unit(format_value(estimate), unit)


def format_value(estimate: Estimate) -> str:
    """The number measured here: with two digits of its interval's width, or four digits where nothing varies."""
    decimals = decimals_of(estimate)
    size = abs(estimate.value)
    if decimals is None and 0 < size < 1e4 and size != int(size):
        return format_number(float(f"{estimate.value:.4g}"))
    return format_number(estimate.value, decimals)


def format_interval(estimate: Estimate) -> str:
    """The interval in brackets; empty where nothing varies."""
    decimals = decimals_of(estimate)
    if estimate.source_of_variation == "exact" and estimate.low == estimate.high:
        return ""
    return f"[{format_number(estimate.low, decimals)}, {format_number(estimate.high, decimals)}]"


def format_source_of_variation(estimate: Estimate) -> str:
    """Return what the interval is over, and how many of them: "over seeds, n = 5"."""
    over = "" if estimate.source_of_variation == "exact" else "over "
    return f"{over}{estimate.source_of_variation}, n = {estimate.n:,}"


def format_paper(claim: Claim | ClaimRecord) -> str:
    """The paper's number with its unit and the range the paper gives; a dash where it gives neither."""
    return " ".join(part for part in (paper_number(claim), paper_range(claim)) if part) or "–"


def paper_number(claim: Claim | ClaimRecord) -> str:
    """The paper's number with its unit; empty where it gives none."""
    return "" if claim.paper is None else with_unit(format_reported(claim.paper), claim.unit)


def paper_range(claim: Claim | ClaimRecord) -> str:
    """The range the paper gives, in brackets, with its unit where no number carries it; empty where it gives none."""
    ends = [claim.paper_low, claim.paper_high]
    if ends == [None, None]:
        return ""
    low, high = ("" if end is None else format_reported(end, *(e for e in ends if e is not None)) for end in ends)
    return with_unit(f"[{low}…{high}]", claim.unit if claim.paper is None else "")


def format_reported(value: float, *others: float) -> str:
    """A number of the paper's with all its digits, and as many decimals as those it stands with."""
    decimals = max(len(f"{float(v):.7f}".rstrip("0").partition(".")[2]) for v in (value, *others))
    return format_number(float(value), decimals)


def humanize(name: str) -> str:
    """A column's or a file's name in words."""
    return name.replace("_", " ").replace("-", " ")


def format_energy(joules: float) -> str:
    """Roughly how much, in watt-hours from a tenth of one on."""
    return f"{format_number(joules / 3600, 1)}{SPACE}Wh" if joules >= 360 else f"{joules:.0f}{SPACE}J"


def format_duration(seconds: float) -> str:
    """Roughly how long, in the unit that fits."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f}{SPACE}{unit}"
    return f"{seconds:.0f}{SPACE}s"
