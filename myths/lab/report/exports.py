"""What others take from a report: every table as Markdown and LaTeX, every figure as SVG and PDF, the claims as JSON, the references."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths.lab.claim import Judgement
from myths.lab.errors import CannotStart
from myths.lab.report import references
from myths.lab.report.latex import escaped
from myths.lab.run_folder import write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from myths.lab.derived import Derived
    from myths.lab.report.view import RunView

FORMAT = "seven-myths-claims/1"
"""Which schema ``claims.json`` keeps to: ``schema/claims.schema.json``."""
LONG = 40
"""A LaTeX table of more rows breaks over pages."""


def write(runs: Iterable[RunView], folder: Path) -> None:
    """Writes ``tables/…/*.md`` and ``*.tex``, ``figures/…/*.svg`` and ``*.pdf``, ``claims.json`` and ``seven-myths.bib`` into ``folder``.

    Nothing at all without runs. Raises CannotStart where a file cannot be written.
    """
    views = list(runs)
    for view in views:
        place = Path(view.key) / view.derived.myth.folder
        _write_tables(view.derived, folder / "tables" / place)
        _write_figures(view, folder / "figures" / place)
    if views:
        write_atomically(folder / "claims.json", json.dumps(claims(views), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        write_atomically(folder / "seven-myths.bib", references.bibtex(paper for view in views for paper in view.derived.myth.papers))


# --- tables and figures ------------------------------------------------------------------------------


def markdown(table: pd.DataFrame) -> str:
    """A table in GitHub's Markdown; nothing in a cell is read as markup."""
    return _as_text(table, _markdown_cell).to_markdown(index=False, disable_numparse=True) + "\n"


def latex(table: pd.DataFrame) -> str:
    """A table for LaTeX with booktabs (and longtable where it has more than 40 rows); nothing in a cell is read as a command."""
    aligned = "".join("r" if table[column].dtype.kind in "if" else "l" for column in table.columns)
    needed = "booktabs, longtable" if len(table) > LONG else "booktabs"
    text = _as_text(table, escaped).to_latex(index=False, escape=False, column_format=aligned, longtable=len(table) > LONG)
    return f"% \\usepackage{{{needed}}}\n{text}"


def _write_tables(derived: Derived, folder: Path) -> None:
    for name, table in [*derived.tables.items(), ("claims", derived.claims_table())]:
        if len(table):
            write_atomically(folder / f"{name}.md", markdown(table))
            write_atomically(folder / f"{name}.tex", latex(table))


def _write_figures(view: RunView, folder: Path) -> None:
    try:
        for name, svg in view.figures.items():
            folder.mkdir(parents=True, exist_ok=True)
            drawing, printing = folder / f"{name}.svg", folder / f"{name}.pdf"
            if printing.exists() and drawing.exists() and drawing.read_text(encoding="utf-8") == str(svg):
                continue  # the same figure as in the report before: its PDF takes most of a second
            _print(view.drawn[name], printing)
            drawing.write_text(str(svg), encoding="utf-8")  # last: what was interrupted is done again
    except OSError as error:
        raise CannotStart(f"cannot write {folder}: {error.strerror or error}; make room or choose another folder") from error


def _print(figure: Figure, file: Path) -> None:
    import matplotlib

    with matplotlib.rc_context({"pdf.fonttype": 3, "text.usetex": False}):  # TrueType (42) takes three times as long
        figure.savefig(file, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})


def _as_text(table: pd.DataFrame, escape: Any) -> pd.DataFrame:
    cells = table.astype(object).map(lambda value: escape(_words(value)))
    cells.columns = [escape(str(column)) for column in table.columns]
    return cells


def _words(value: Any) -> str:
    """A cell as in the CSV: ten digits, nothing where there is no value."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _markdown_cell(text: str) -> str:
    one_line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", one_line)


# --- claims.json -------------------------------------------------------------------------------------


def claims(views: Iterable[RunView]) -> dict[str, Any]:
    """Every claim of every run as plain JSON: the paper's number, ours, the criterion, the verdict, and where it comes from."""
    views = list(views)
    return {
        "format": FORMAT,
        "runs": {view.key: _provenance(view) for view in views},
        "claims": [_claim(judgement, view) for view in views for judgement in view.derived.judgements],
    }


def _provenance(view: RunView) -> dict[str, Any]:
    named = ("id", "started", "commit", "dirty", "machine", "packages")
    return {
        "name": view.name,
        "published": view.where == "published",
        "machine_class": view.facts.get("machine_class"),
        "data": {name: entry.get("sha256") if isinstance(entry, Mapping) else None for name, entry in view.facts["data"].items()},
        "invocations": [{name: i.get(name) for name in named} for i in view.facts["invocations"]],
    }


def _claim(judgement: Judgement, view: RunView) -> dict[str, Any]:
    claim, estimate = judgement.claim, judgement.estimate
    used = [record.invocation for record in view.derived.records if type(record.trial) is claim.trial] if estimate else []
    return {
        "run": view.key,
        "myth": view.derived.myth.name,
        "claim": claim.id,
        "kind": claim.kind,
        "decisive": claim.decisive,
        "statement": claim.statement,
        "source": claim.source,
        "unit": claim.unit,
        "paper": {"value": claim.paper, "low": claim.paper_low, "high": claim.paper_high, "checked": claim.paper_checked},
        "here": None if estimate is None else _number(estimate.value),
        "interval": None
        if estimate is None
        else {"low": _number(estimate.low), "high": _number(estimate.high), "over": estimate.covers, "n": int(estimate.n)},
        "criterion": {
            "text": claim.printed_criterion,
            "low": _number(claim.criterion.low),
            "high": _number(claim.criterion.high),
            "strict": claim.criterion.strict,
        },
        "verdict": str(judgement.verdict),
        "reason": judgement.reason,
        "profile": view.derived.profile,
        "protocol": judgement.protocol or None,
        "dataset": judgement.dataset or None,
        "device": judgement.device or None,
        "invocations": list(dict.fromkeys(used)),
    }


def _number(value: float) -> float | None:
    """JSON knows no infinity: an open end is null."""
    return float(value) if math.isfinite(value) else None
