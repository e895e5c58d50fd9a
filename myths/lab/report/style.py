"""Style of the figures: one palette, a light panel for light and dark pages, and reproducible SVG.

The module uses neither pyplot nor global settings, so figures can be drawn in several threads and in notebooks.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURED_COLOR = "#0072b2"
"""Measured numbers."""
PAPER_COLOR = "#c2500a"
"""Numbers of the paper."""
COLORS = (MEASURED_COLOR, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", PAPER_COLOR, "#7a6f9b", "#6b6b6b")
"""Color-blind-safe palette of Okabe and Ito, with two colors darkened for white background."""
TEXT_COLOR = "#22262b"
MUTED_COLOR = "#5f666d"
GRID_COLOR = "#e3e5e7"
PANEL_COLOR = "#ffffff"
EDGE_COLOR = "#dcdfe2"

_SETTINGS: Any = {
    "font.family": "DejaVu Sans",  # included in matplotlib, so identical on every machine
    "mathtext.fontset": "dejavusans",
    "text.usetex": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "seven-myths",
    "svg.image_inline": True,
    "path.simplify": True,
}


def axes(title: str, x: str, y: str, size: tuple[float, float] = (7.0, 4.5)) -> tuple[Figure, Axes]:
    """Return an empty figure with one styled pair of axes.

    Args:
        title: Title of the axes.
        x: Label of the x axis, with unit.
        y: Label of the y axis, with unit.
        size: Width and height in inches.
    """
    figure, (only,) = panels([title], x, y, size)
    return figure, only


def panels(titles: Sequence[str], x: str, y: str, size: tuple[float, float] = (9.0, 4.5)) -> tuple[Figure, tuple[Axes, ...]]:
    """Return a figure with one row of styled axes, one per title, with the same axis labels."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        figure.patch.set_alpha(0)
        figure.get_layout_engine().set(w_pad=0.16, h_pad=0.16)  # type: ignore[union-attr, call-arg]
        _add_panel(figure, size)
        row = tuple(figure.subplots(1, len(titles), squeeze=False)[0])
        for ax, title in zip(row, titles, strict=True):
            _style_axes(ax, title, x, y)
    return figure, row


def svg(figure: Figure) -> str:
    """Return the figure as SVG. Equal figures give equal text; letters are outlines; the title is accessible to screen readers.

    Ids start with a hash of the content, so several figures can be on one page. ``data-matplotlib`` holds the matplotlib version.
    """
    import matplotlib
    from matplotlib.text import Text

    title = _alt_text(figure)
    for text in figure.findobj(Text):
        text.set_fontfamily(_SETTINGS["font.family"])
    for legend in [legend for ax in figure.axes if (legend := ax.get_legend()) is not None] + figure.legends:
        legend.set_frame_on(False)
    buffer = io.StringIO()
    with matplotlib.rc_context(_SETTINGS):
        figure.savefig(buffer, format="svg", transparent=False, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn = re.sub(r"^.*?(?=<svg\b)", "", buffer.getvalue(), flags=re.DOTALL)
    drawn = re.sub(r"\s*<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"\s*<!--.*?-->", "", drawn, flags=re.DOTALL)
    drawn = prefix_ids(drawn, "f" + hashlib.sha256(drawn.encode()).hexdigest()[:8])
    spoken = html.escape(title, quote=True)
    opening = f'<svg role="img" aria-label="{spoken}" data-matplotlib="{matplotlib.__version__}"'
    return re.sub(r"<svg\b([^>]*)>", lambda m: f"{opening}{m[1]}>\n <title>{spoken}</title>", drawn, count=1)


def prefix_ids(text: str, prefix: str) -> str:
    """Return SVG text in which all ids, and the references to them, start with ``prefix``."""
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'href="#', f'href="#{prefix}-', text)
    return re.sub(r"url\(#", f"url(#{prefix}-", text)


def _style_axes(ax: Axes, title: str, x: str, y: str) -> None:
    ax.set_title(title, loc="left", fontsize=11.5, fontweight="bold", color=TEXT_COLOR, pad=12)
    ax.set_xlabel(x, fontsize=10, color=TEXT_COLOR, labelpad=6)
    ax.set_ylabel(y, fontsize=10, color=TEXT_COLOR, labelpad=6)
    ax.set_facecolor("none")
    ax.set_prop_cycle(color=COLORS)
    ax.set_axisbelow(True)
    ax.grid(visible=True, color=GRID_COLOR, linewidth=0.8)
    ax.tick_params(labelsize=9.5, labelcolor=MUTED_COLOR, color=GRID_COLOR, length=4)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#b9bfc5")


def _add_panel(figure: Figure, size: tuple[float, float]) -> None:
    """Add the light background panel with rounded corners. Lengths are in inches."""
    from matplotlib.patches import FancyBboxPatch

    (width, height), inset, radius = size, 0.02, 0.09
    edge = inset + radius
    panel = FancyBboxPatch(
        (edge, edge), width - 2 * edge, height - 2 * edge, boxstyle=f"round,pad={radius}", transform=figure.dpi_scale_trans
    )
    panel.set(facecolor=PANEL_COLOR, edgecolor=EDGE_COLOR, linewidth=0.8, zorder=-10)
    figure.add_artist(panel)


def _alt_text(figure: Figure) -> str:
    suptitle = figure.get_suptitle()
    parts = [suptitle] if suptitle else []
    for ax in figure.axes:
        name = ax.get_title("left") or ax.get_title()
        quantities = " against ".join(label for label in (ax.get_ylabel(), ax.get_xlabel()) if label)
        parts += [": ".join(part for part in (name, quantities) if part)]
    return "; ".join(dict.fromkeys(part for part in parts if part)) or "figure"
