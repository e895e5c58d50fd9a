"""One small plot per claim: the criterion, the paper's number, and the measured number with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from myths.lab.claim_record import ClaimRecord
from myths.lab.report import formatting

WIDTH, HEIGHT = 260, 56
EDGE = 10
"""Margin left and right of the outermost mark, in SVG units."""
ROW_OF_TEXT = 14
LETTER = 7.2
"""Upper bound on the width of a letter of a label, in SVG units."""
TOP, ROW_PAPER, ROW_MEASURED, BOTTOM = 4, 14, 29, 39

Place = Callable[[float], float]


def forest_plot(claim: ClaimRecord, compact: bool = False) -> Markup:
    """Return the plot as SVG, styled by the page's style sheet; empty if there is no number to plot.

    The marker of the measured number is filled for the paper's protocol, hollow for a reduced one, dashed for stand-in data.

    Args:
        claim: The claim.
        compact: Whether to omit all labels.
    """
    if not (shown := _numbers(claim)):
        return Markup("")
    bounds = _bounds(claim)
    place, logarithmic = _scale(shown + bounds)
    parts = _marks(claim, place, compact)
    if not compact:
        ticks = _ticks(min(shown + bounds), max(shown + bounds), logarithmic)
        parts += _labels(bounds, ticks, place, formatting.shown_unit(claim.unit))
    if logarithmic and not compact:
        parts.append(Markup('<text class="scale" x="{}" y="{}" text-anchor="end">log scale</text>').format(WIDTH, HEIGHT + ROW_OF_TEXT - 3))
    return _svg(claim, parts) if compact else _svg(claim, parts, "forest", HEIGHT + ROW_OF_TEXT * logarithmic)


def strips(claims: Sequence[ClaimRecord]) -> list[Markup]:
    """Return one plot without labels per result of a claim, all on the same scale.

    Args:
        claims: Results of one claim.
    """
    numbers = [number for claim in claims for number in (*_numbers(claim), *_bounds(claim))]
    place, _ = _scale(numbers)
    return [_svg(claim, _marks(claim, place, compact=True)) for claim in claims]


def _numbers(claim: ClaimRecord) -> list[float]:
    estimate = claim.measured
    return _finite([claim.paper, claim.paper_low, claim.paper_high, *([estimate.value, estimate.low, estimate.high] if estimate else [])])


def _bounds(claim: ClaimRecord) -> list[float]:
    return sorted(set(_finite([claim.criterion_low, claim.criterion_high])))


def _marks(claim: ClaimRecord, place: Place, compact: bool) -> list[Markup]:
    """Return the criterion, the paper's number and the measured number."""
    parts = [_band(claim, place), *(_bound(bound, place, compact) for bound in _bounds(claim)), _paper(claim, place)]
    if (estimate := claim.measured) is not None:
        low, value, high = (_clamped(place, end) for end in (estimate.low, estimate.value, estimate.high))
        near = f"ours {claim.protocol}" if claim.protocol in ("reduced", "stand-in") else "ours"
        parts.append(
            Markup('<line class="{}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(near, low, high, y=ROW_MEASURED)
            + Markup('<circle class="{}" cx="{}" cy="{}" r="4.5"/>').format(near, value, ROW_MEASURED)
        )
    return parts


def _svg(claim: ClaimRecord, parts: Sequence[Markup], kind: str = "forest strip", height: float = BOTTOM + 2) -> Markup:
    return Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        kind, WIDTH, height, alt_text(claim), Markup("").join(parts)
    )


def alt_text(claim: ClaimRecord) -> str:
    """Return a text alternative of the plot."""
    estimate = claim.measured
    ours = (
        f"measured {formatting.value_with_unit(estimate, claim.unit)} {formatting.format_interval(estimate)}".rstrip()
        if estimate
        else "not measured"
    )
    return f"Paper {formatting.format_paper(claim)}; {ours}; criterion {formatting.format_criterion(claim.criterion)}"


def _finite(values: Sequence[float | None]) -> list[float]:
    return [float(v) for v in values if v is not None and math.isfinite(v)]


def _scale(values: Sequence[float]) -> tuple[Place, bool]:
    """Return the map from numbers to x coordinates, and whether it is logarithmic (positive numbers that span a factor above 50)."""
    low, high = min(values), max(values)
    logarithmic = low > 0 and high / low > 50
    bend: Callable[[float], float] = math.log if logarithmic else float
    start, end = bend(low), bend(high)
    if start == end:
        start, end = start - 1, end + 1
    room = 0.12 * (end - start)
    start, end = start - room, end + room

    def place(value: float) -> float:
        return round(EDGE + (WIDTH - 2 * EDGE) * (bend(value) - start) / (end - start), 1)

    return place, logarithmic


def _clamped(place: Place, value: float) -> float:
    if math.isinf(value):
        return 0.0 if value < 0 else float(WIDTH)
    return place(value)


def _band(claim: ClaimRecord, place: Place) -> Markup:
    left = 0.0 if claim.criterion_low is None else place(claim.criterion_low)
    right = float(WIDTH) if claim.criterion_high is None else place(claim.criterion_high)
    return Markup('<rect class="asked" x="{}" y="{}" width="{}" height="{}"/>').format(
        left, TOP, round(max(right - left, 1.5), 1), BOTTOM - TOP
    ) + Markup('<line class="ground" x1="0" x2="{}" y1="{y}" y2="{y}"/>').format(WIDTH, y=BOTTOM)


def _bound(bound: float, place: Place, compact: bool) -> Markup:
    return Markup('<line class="bound" x1="{x}" x2="{x}" y1="{}" y2="{}"/>').format(TOP, BOTTOM + (0 if compact else 3), x=place(bound))


def _ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    """Return two to four round numbers between two ends."""
    if logarithmic:
        first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
        return [10.0**power for power in range(first, last + 1, max(1, (last - first + 3) // 3))]
    if high - low < 1e-11:  # numbers are rounded to twelve places
        return [low]
    rough = (high - low) / 2
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * max((nice for nice in (2, 5) if nice * power <= rough), default=1)  # the power itself may be rounded up
    return [round(k * step, 12) for k in range(math.ceil(low / step), math.floor(high / step) + 1)][:4]


def _labels(bounds: Sequence[float], ticks: Sequence[float], place: Place, unit: str) -> list[Markup]:
    """Return the labels below the axis: each bound, and ticks that overlap no other label."""
    asked = [formatting.with_unit(formatting.format_number(bound), unit if len(unit) <= 3 else "") for bound in bounds]
    starts = [_start(place(bound), said) for bound, said in zip(bounds, asked, strict=True)]
    if len(bounds) == 2:  # one beside the other, both inside
        starts[1] = min(max(starts[1], starts[0] + LETTER * (len(asked[0]) + 1)), WIDTH - LETTER * len(asked[1]))
        starts[0] = min(starts[0], starts[1] - LETTER * (len(asked[0]) + 1))
    taken = [(start, start + LETTER * len(said)) for start, said in zip(starts, asked, strict=True)]
    text = Markup('<text class="{}" x="{}" y="53">{}</text>')
    drawn = [text.format("asked-for", round(start, 1), said) for start, said in zip(starts, asked, strict=True)]
    for tick in ticks:
        said = formatting.format_number(tick)
        start = _start(place(tick), said)
        end = start + LETTER * len(said)
        if all(start >= last + LETTER or end <= first - LETTER for first, last in taken):
            taken.append((start, end))
            drawn.append(Markup('<line class="tick" x1="{x}" x2="{x}" y1="{}" y2="{}"/>').format(BOTTOM, BOTTOM + 3, x=place(tick)))
            drawn.append(text.format("scale", round(start, 1), said))
    return drawn


def _start(middle: float, said: str) -> float:
    """Return the x coordinate at which a text centered at ``middle`` starts, clamped to the plot."""
    width = LETTER * len(said)
    return min(max(middle - width / 2, 0.0), WIDTH - width)


def _paper(claim: ClaimRecord, place: Place) -> Markup:
    drawn = Markup("")
    if claim.paper_low is not None and claim.paper_high is not None:
        drawn += Markup('<line class="theirs" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(
            _clamped(place, claim.paper_low), _clamped(place, claim.paper_high), y=ROW_PAPER
        )
    if claim.paper is not None and math.isfinite(claim.paper):
        x = place(claim.paper)
        points = f"{x - 5},{ROW_PAPER} {x},{ROW_PAPER - 5} {x + 5},{ROW_PAPER} {x},{ROW_PAPER + 5}"
        drawn += Markup('<polygon class="theirs" points="{}"/>').format(points)
    return drawn
