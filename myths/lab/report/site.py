"""The report: a front page and a page for each myth, readable from a disk, without a network, for years."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from myths.lab.claim import MythVerdict, Verdict
from myths.lab.derived import Derived
from myths.lab.report import exports, lines, style, view, words
from myths.lab.report.comparison import comparisons
from myths.lab.report.tables import MOST_ROWS, data_table
from myths.lab.run_folder import RunFolder, write_atomically

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".svg": "image/svg+xml", ".webp": "image/webp"}


def build(derived: Sequence[Derived], folder: Path) -> Path:
    """Writes the front page, which it gives, a page for each myth and for every two runs that share claims, and the files they link to.

    Nothing is written into the runs. Raises CannotStart where a file cannot be written.
    """
    environment = _environment()
    taken: dict[str, Path] = {}
    myths = [[_run(each, _key(each.run, taken), folder) for each in group] for group in view.by_myth(derived)]
    compared = comparisons(myths)
    for runs in myths:
        myth = runs[0].derived.myth
        page = environment.get_template("myth.html.j2").render(
            myth=myth, runs=runs, notes=view.footnotes(myth.claims), compared=[c for c in compared if any(p.myth is myth for p in c.pairs)]
        )
        write_atomically(folder / f"{myth.name}.html", page)
    for comparison in compared:
        write_atomically(folder / comparison.file, environment.get_template("compare.html.j2").render(comparison=comparison))
    front = environment.get_template("index.html.j2").render(
        myths=myths, tally=_tally(myths), intervals=view.intervals(derived), folders=_folders(myths), compared=compared,
        choices=_choices(myths), hardware=list(dict.fromkeys(runs[0].hardware for runs in myths)),
    )  # fmt: skip
    index = folder / "index.html"
    write_atomically(index, front)
    exports.write((run for runs in myths for run in runs), folder)
    return index


def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "slug": view.slug,
        "humane": words.humane,
        "headline": words.without_stop,
        "paragraphs": _paragraphs,
        "link": _is_link,
        "number": words.number,
    }
    environment.globals |= {
        "symbols": view.SYMBOLS,
        "checked": words.CHECKED,
        "most_rows": MOST_ROWS,
        "command": lines.command,
    }
    return environment


def _run(derived: Derived, key: str, folder: Path) -> view.RunView:
    plotted = {name: figure for name, draw in derived.myth.figures.items() if (figure := draw(derived.tables)) is not None}
    figures = {name: Markup(style.own_ids(style.svg(figure), key)) for name, figure in plotted.items()}
    for figure in plotted.values():
        figure.set_layout_engine("none")  # laid out by now: the PDF need not do it again
    tables = []
    for name, table in [*derived.tables.items(), ("claims", derived.claims_table())]:
        file = Path("tables") / key / derived.myth.folder / f"{name}.csv"
        if len(table):
            write_atomically(folder / file, table.to_csv(index=False, float_format="%.10g", lineterminator="\n"))
        drawn = data_table(table, f"{key}-{view.slug(name)}") if name != "claims" else Markup("")
        tables.append((name, drawn, file.as_posix(), len(table)))
    return view.RunView(derived, key, derived.run.facts(), figures, _pictures(derived), tables, plotted)


def _key(run: RunFolder, taken: dict[str, Path]) -> str:
    """Names a run in ids and paths: no two runs alike, and nothing of where they lie."""
    where = "published" if run.path.resolve().parent.name == "published" else "local"
    key = base = f"{where}-{view.slug(run.name)}"
    while taken.setdefault(key, run.path) != run.path:
        key = f"{base}-{len(taken)}"
    return key


def _pictures(derived: Derived) -> dict[str, str]:
    """Pictures that show images of data sets, embedded from where they lie; name -> data URI."""
    lie = derived.run.path / derived.myth.folder / "pictures"
    files = sorted(file for file in lie.glob("*") if file.suffix in PICTURES)
    return {file.stem: f"data:{PICTURES[file.suffix]};base64,{base64.b64encode(file.read_bytes()).decode()}" for file in files}


def _tally(myths: Sequence[Sequence[view.RunView]]) -> list[tuple[MythVerdict, int]]:
    best = [runs[0].verdict for runs in myths]
    return [(verdict, best.count(verdict)) for verdict in MythVerdict if verdict in best]


def _choices(myths: Sequence[Sequence[view.RunView]]) -> dict[str, list[str]]:
    """What the table of all claims can be filtered by: column -> the values in it."""
    every = [(run, claim) for runs in myths for run in runs for claim in run.claims]
    return {
        "myth": list(dict.fromkeys(run.derived.myth.name for run, _ in every)),
        "verdict": [verdict for verdict in Verdict if any(claim.verdict is verdict for _, claim in every)],
        "protocol": sorted({claim.protocol for _, claim in every} - {""}),
        "device": sorted({part for _, claim in every for part in claim.device.split(", ")} - {""}),
        "profile": sorted({part for run, _ in every for part in run.derived.profile.split(", ")} - {""}),
    }


def _folders(myths: Sequence[Sequence[view.RunView]]) -> list[dict[str, Any]]:
    """The runs, each once, with every myth in it."""
    folders: dict[str, list[view.RunView]] = {}
    for run in (run for runs in myths for run in runs):
        folders.setdefault(os.fspath(run.derived.run.path), []).append(run)
    gathered = []
    for runs in folders.values():
        first = runs[0]
        gathered.append({
            "name": first.name,
            "where": first.where,
            "machine_class": first.facts.get("machine_class") or "",
            "profiles": ", ".join(dict.fromkeys(run.derived.profile for run in runs if run.derived.profile)),
            "machines": "; ".join(dict.fromkeys(run.machines for run in runs if run.machines)),
            "dates": "; ".join(dict.fromkeys(run.dates for run in runs if run.dates)),
            "commits": list(dict.fromkeys(commit for run in runs for commit in run.commits)),
            "packages": first.packages,
            "myths": [run.derived.myth for run in runs],
            "data": view.data_notes(first.facts),
        })  # fmt: skip
    return gathered


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _is_link(address: str) -> bool:
    return address.startswith(("https://", "http://"))
