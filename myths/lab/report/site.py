"""Build the report: a front page, one page per myth and per comparison of runs. Pages need no network."""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths.lab.analysis import Analysis
from myths.lab.myth import Myth
from myths.lab.report import drawing, exports, formatting, front_page, replication_view, run_view, source_trials
from myths.lab.report.comparison import Comparison, comparisons
from myths.lab.report.parallel_map import parallel_map
from myths.lab.report.replication_view import ReplicationView
from myths.lab.report.tables import MAX_ROWS
from myths.lab.storage.run_folder import RunFolder, write_atomically

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".svg": "image/svg+xml", ".webp": "image/webp"}


def build(analyses: Sequence[Analysis], folder: Path, myths: Sequence[Myth] = ()) -> Path:
    """Write all pages of the report and the files that they link to. The run folders are not changed.

    Args:
        analyses: Analyzed runs.
        folder: Folder of the report.
        myths: Myths that the front page lists even if they were not run.

    Returns:
        Path of the front page.

    Raises:
        CannotStart: A file cannot be written.
    """
    environment = _environment()
    taken: dict[str, Path] = {}
    keyed = [[(each, _key(each.run, taken)) for each in group] for group in run_view.by_myth(analyses)]
    rendered = iter(drawing.draw([pair for group in keyed for pair in group], folder))
    runs = [[_run(each, key, next(rendered)) for each, key in group] for group in keyed]
    compared = comparisons(runs)
    several = {each[0].analysis.myth.name: replication_view.of_runs(each) for each in runs}
    rows = front_page.rows(runs, myths, several)
    pages: list[tuple[str, str, dict[str, Any]]] = [(each.file, "compare.html.j2", {"comparison": each}) for each in compared]
    pages += [(f"{each[0].analysis.myth.name}.html", "myth.html.j2", _of_myth(each, compared, several)) for each in runs]
    pages.append((
        "index.html",
        "index.html.j2",
        {"rows": rows, "summary": front_page.Summary(rows), "runs": runs, "compared": compared, "intervals": run_view.intervals(analyses),
         "run_details": front_page.run_details(runs), "filter_options": front_page.filter_options(runs)},
    ))  # fmt: skip
    parallel_map([partial(_write, environment, folder / file, template, values) for file, template, values in pages], "pages")
    exports.write((run for each in runs for run in each), folder)
    return folder / "index.html"


def _of_myth(
    runs: Sequence[run_view.RunView], compared: Sequence[Comparison], several: Mapping[str, Mapping[str, ReplicationView]]
) -> dict[str, Any]:
    myth = runs[0].analysis.myth
    ours = [comparison for comparison in compared if any(pair.myth is myth for pair in comparison.pairs)]
    shown = [i for i, claim in enumerate(runs[0].claims) if claim.primary or any(run.claims[i].value_text for run in runs)]
    return {
        "myth": myth,
        "runs": runs,
        "notes": run_view.footnotes(myth.claims),
        "compared": ours,
        "side_by_side": shown,
        "several": several[myth.name],
    }


def _write(environment: jinja2.Environment, file: Path, template: str, values: Mapping[str, Any]) -> None:
    write_atomically(file, environment.get_template(template).render(values))


@functools.cache  # keeps the compiled templates
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: formatting.no_break_percent(value) if type(value) is str else value,  # not of Markup, which is a str too
    )
    environment.filters |= {
        "slug": run_view.slug,
        "humanize": formatting.humanize,
        "headline": formatting.strip_period,
        "paragraphs": _paragraphs,
        "link": _is_link,
        "number": formatting.format_number,
    }
    environment.globals |= {
        "symbols": run_view.SYMBOLS,
        "strength_text": formatting.STRENGTH_TEXT,
        "paper_source_text": formatting.PAPER_SOURCE_TEXT,
        "max_rows": MAX_ROWS,
        "try_command": source_trials.try_command,
    }
    return environment


def _run(analysis: Analysis, key: str, rendered: drawing.Rendered) -> run_view.RunView:
    return run_view.RunView(analysis, key, analysis.run.metadata(), rendered.figures, _pictures(analysis), rendered.tables)


def _key(run: RunFolder, taken: dict[str, Path]) -> str:
    """Return a unique key of a run for ids and paths, without its location on disk."""
    key = base = f"{run.location}-{run_view.slug(run.name)}"
    while taken.setdefault(key, run.path) != run.path:
        key = f"{base}-{len(taken)}"
    return key


def _pictures(analysis: Analysis) -> dict[str, str]:
    """Return figures that show images of datasets, as name -> data URI."""
    folder = analysis.run.path / analysis.myth.folder / "pictures"
    files = sorted(file for file in folder.glob("*") if file.suffix in PICTURES)
    return {file.stem: f"data:{PICTURES[file.suffix]};base64,{base64.b64encode(file.read_bytes()).decode()}" for file in files}


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _is_link(address: str) -> bool:
    return address.startswith(("https://", "http://"))
