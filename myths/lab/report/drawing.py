"""Write the figures and tables of runs as files and render them for the pages."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from myths.lab.errors import CannotStart
from myths.lab.report import exports, run_view, style
from myths.lab.report.parallel_map import parallel_map
from myths.lab.report.tables import data_table
from myths.lab.storage.run_folder import write_atomically
from myths.lab.tables import as_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from myths.lab.analysis import Analysis

Tables = Sequence[tuple[str, Markup, str, int]]
"""Name, HTML, address of the CSV, rows."""


@dataclass(frozen=True)
class Rendered:
    """Figures and tables of a run as HTML."""

    figures: Mapping[str, Markup]
    tables: Tables


def draw(runs: Sequence[tuple[Analysis, str]], folder: Path) -> list[Rendered]:
    """Render and write the figures and tables of runs, in parallel.

    ``figures/KEY/MYTH/*.svg`` and ``*.pdf``, ``tables/KEY/MYTH/*.csv``, ``*.md`` and ``*.tex``.
    Raises:
        CannotStart: A file cannot be written.
    """
    names = [(analysis, key, name) for analysis, key in runs for name in analysis.myth.figures]
    drawings: list[Callable[[], str | None]] = [partial(_figure, analysis, key, name, folder) for analysis, key, name in names]
    tabulations: list[Callable[[], Tables]] = [partial(_tables, analysis, key, folder) for analysis, key in runs]
    done: list[Any] = parallel_map([*drawings, *tabulations], "figures and tables")
    rendered = {
        (key, analysis.myth.name, name): Markup(svg)
        for (analysis, key, name), svg in zip(names, done[: len(names)], strict=True)
        if svg is not None
    }
    return [
        Rendered(
            {name: rendered[place] for name in analysis.myth.figures if (place := (key, analysis.myth.name, name)) in rendered}, tables
        )
        for (analysis, key), tables in zip(runs, done[len(names) :], strict=True)
    ]


def _figure(analysis: Analysis, key: str, name: str, folder: Path) -> str | None:
    try:
        figure = analysis.myth.figures[name](analysis.tables)
    except Exception as error:  # noqa: BLE001 (rows that a figure does not expect cost that figure, not the report)
        warnings.warn(f"{analysis.run.name}: figure {name} of {analysis.myth.name} left out: {type(error).__name__}: {error}", stacklevel=2)
        return None
    if figure is None:
        return None
    svg = style.prefix_ids(style.svg(figure), key)
    drawing = folder / "figures" / key / analysis.myth.folder / f"{name}.svg"
    printing = drawing.with_suffix(".pdf")
    try:
        drawing.parent.mkdir(parents=True, exist_ok=True)
        if printing.exists() and drawing.exists() and drawing.read_text(encoding="utf-8") == svg:
            return svg  # the same figure as in the report before: its PDF need not be drawn
        _write_pdf(figure, printing)
        drawing.write_text(svg, encoding="utf-8")  # last: what was interrupted is done again
    except OSError as error:
        raise CannotStart(f"cannot write {drawing.parent}: {error.strerror or error}; make room or choose another folder") from error
    return svg


def _write_pdf(figure: Figure, file: Path) -> None:
    import matplotlib

    figure.set_layout_engine(None)  # the SVG is laid out by now: the PDF need not be drawn twice
    with matplotlib.rc_context({"pdf.fonttype": 3, "text.usetex": False}):  # TrueType (42) takes three times as long
        figure.savefig(file, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})


def _tables(analysis: Analysis, key: str, folder: Path) -> Tables:
    shown = []
    for name, table in [*analysis.tables.items(), ("claims", analysis.claims_table())]:
        file = Path("tables") / key / analysis.myth.folder / f"{name}.csv"
        if len(table):
            write_atomically(folder / file, as_csv(table))
            write_atomically((folder / file).with_suffix(".md"), exports.markdown(table))
            write_atomically((folder / file).with_suffix(".tex"), exports.latex(table))
        rendered = data_table(table, f"{key}-{run_view.slug(name)}", key) if name != "claims" else Markup("")
        shown.append((name, rendered, file.as_posix(), len(table)))
    return shown
