"""The small drawing of a claim: everything in its place, whatever the numbers."""

import itertools
import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myths.lab.claim import ClaimResult
from myths.lab.claim_record import ClaimRecord
from myths.lab.criterion import at_least, at_most, between
from myths.lab.estimate import Estimate, exact
from myths.lab.report.forest import WIDTH, _ticks, alt_text, forest_plot
from myths.lab.verdict import Verdict
from tests.lab.report import coin

numbers = st.floats(-1e9, 1e9)


def record(estimate, criterion=None, **changes):
    claim = coin.claim("C", "ducat", criterion or at_least(50.0), **changes)
    return ClaimRecord.of(ClaimResult(claim, estimate, Verdict.INCONCLUSIVE), "fair-coin")


def marks(drawn):
    """Class -> horizontal places of its marks."""
    found = {}
    for element in ET.fromstring(str(drawn)).iter():
        places = [float(element.attrib[k]) for k in ("x1", "x2", "cx", "x") if k in element.attrib]
        places += [float(x) for x in re.findall(r"(\S+),", element.attrib.get("points", ""))]
        found.setdefault(f"{element.tag} {element.attrib.get('class', '')}".strip(), []).extend(places)
    return found


def test_order_on_paper_is_order_of_numbers():
    found = marks(forest_plot(record(Estimate(53.0, 52.0, 54.0, "seeds", 3))))
    low, high = found["line ours"]
    assert found["line bound"][0] < found["line theirs"][0] < found["line theirs"][1] < low < found["circle ours"][0] < high


@given(numbers, st.floats(0, 1e6), st.floats(0, 1e6), numbers, numbers)
def test_nothing_is_drawn_outside(value, down, up, one, other):
    low, high = sorted((one, other))
    estimate = Estimate(value, value - down, value + up, "seeds", 3)
    found = marks(forest_plot(record(estimate, between(low, high), paper=value, paper_low=None, paper_high=None)))
    assert all(-6 <= x <= WIDTH + 6 for places in found.values() for x in places)


def test_wide_positive_ranges_are_logarithmic():
    assert "log scale" in str(forest_plot(record(exact(4000.0, 1), at_least(10.0), paper=1000.0, paper_low=None, paper_high=None)))
    assert "log scale" not in str(forest_plot(record(exact(51.0, 1))))


def boxes(drawn):
    """Left end, right end and baseline of each text, with letters 7 wide."""
    texts = [e for e in ET.fromstring(str(drawn)).iter() if e.tag == "text"]
    for text in texts:
        x, width = float(text.attrib["x"]), 7 * len("".join(text.itertext()))
        start = x - width if text.attrib.get("text-anchor") == "end" else x
        yield start, start + width, float(text.attrib["y"])


@given(st.floats(1e-12, 1e9), st.floats(1e-12, 1e9), st.floats(1e-12, 1e9), st.floats(1e-12, 1e9))
def test_no_text_covers_another(value, paper, one, other):
    low, high = sorted((one, other))
    drawn = forest_plot(record(exact(value, 1), between(low, high), paper=paper, paper_low=None, paper_high=None, unit="pp"))
    found = sorted(boxes(drawn), key=lambda box: (box[2], box[0]))
    if max(len(text) for text in re.findall(r">([^<>]+)</text>", str(drawn))) > 15:
        return  # two bounds of twenty digits have no room
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(found) if a[2] == b[2])


def test_a_drawing_has_a_scale():
    drawn = str(forest_plot(record(exact(40.0, 1), at_least(50.0), paper=100.0, paper_low=None, paper_high=None)))
    assert re.findall(r'class="scale" [^>]*>([^<]+)<', drawn) == ["40", "60", "80", "100"]
    assert re.findall(r'class="asked-for" [^>]*>([^<]+)<', drawn) == ["50\u202f%"]


def test_infinite_ends_reach_the_edge():
    found = marks(forest_plot(record(Estimate(3.0, 1.0, math.inf, "seeds", 2), at_most(5.0))))
    assert found["line ours"][1] == WIDTH


@pytest.mark.parametrize("criterion", [at_most(51.0), between(51.0, 51.0)])
def test_without_a_number_here_the_paper_is_drawn(criterion):
    drawn = record(None, criterion)
    assert "circle ours" not in marks(forest_plot(drawn))
    assert alt_text(drawn).startswith("Paper 50.8")
    assert "not measured" in alt_text(drawn)


def test_without_any_number_there_is_no_drawing():
    assert forest_plot(record(None, paper=None, paper_low=None, paper_high=None)) == ""


@pytest.mark.parametrize("power", range(-10, 13))
def test_a_scale_between_powers_of_ten_has_round_numbers(power):
    """A power of ten that is rounded up is larger than the length that it was taken from."""
    for high in (2 * 10.0**power, math.nextafter(2 * 10.0**power, 0), 2.0 / 10.0**-power):
        assert 2 <= len(_ticks(0.0, high, logarithmic=False)) <= 4
