"""Figures: the same text for the same drawing, no trace of when or where, and nothing global touched."""

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest

from myths.lab.report import style


def drawing(title="Heads of a coin", label="here"):
    figure, ax = style.axes(title, "tosses", "heads (%)")
    ax.plot([1, 2, 3], [50, 51, 50.5], label=label)
    ax.fill_between([1, 2, 3], [49, 50, 49], [51, 52, 51], alpha=0.2)
    ax.legend()
    return figure


def test_the_same_drawing_is_the_same_text():
    assert style.svg(drawing()) == style.svg(drawing())


def test_a_drawing_can_be_written_twice():
    figure = drawing()
    assert style.svg(figure) == style.svg(figure)


def test_the_text_is_well_formed_and_says_what_it_shows():
    root = ET.fromstring(style.svg(drawing(title='Heads & <b>"tails"</b>')))
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == 'Heads & <b>"tails"</b>: heads (%) against tosses' == root.attrib["aria-label"]
    assert root.attrib["role"] == "img"


def test_nothing_of_time_place_or_network_is_in_it():
    text = style.svg(drawing(label="-->"))
    assert "metadata" not in text
    assert "<!--" not in text
    assert set(re.findall(r"https?://[^\"]+", text)) == {"http://www.w3.org/1999/xlink", "http://www.w3.org/2000/svg"}
    assert "<text" not in text  # outlines look the same on every machine


def test_ids_are_unique_and_every_reference_finds_its_id():
    text = style.prefix_ids(style.svg(drawing()), "mine")
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert all(i.startswith("mine-") for i in ids)
    assert set(re.findall(r'href="#([^"]+)"', text) + re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)


def test_a_users_settings_neither_change_nor_are_changed():
    plain = style.svg(drawing())
    with mpl.rc_context({"svg.fonttype": "none", "font.family": "serif", "svg.hashsalt": None}):
        before = dict(mpl.rcParams)
        assert style.svg(drawing()) == plain
        assert dict(mpl.rcParams) == before


def test_no_pyplot_figure_is_opened():
    from matplotlib import pyplot

    drawing()
    assert pyplot.get_fignums() == []


def test_panels_share_their_quantities():
    figure, row = style.panels(["one", "other"], "tosses", "heads (%)")
    assert [ax.get_title("left") for ax in row] == ["one", "other"]
    assert 'aria-label="one: heads (%) against tosses; other: heads (%) against tosses"' in style.svg(figure)


@pytest.mark.parametrize("color", style.COLORS)
def test_colors_are_hexadecimal(color):
    assert re.fullmatch("#[0-9a-f]{6}", color)
