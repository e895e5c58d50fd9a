"""What others take from a report: every table as Markdown and LaTeX, the claims as JSON, the references."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths.lab.report import references
from myths.lab.report.latex import escaped
from myths.lab.run_folder import write_atomically
from myths.lab.tables import TRIALS

if TYPE_CHECKING:
    import pandas as pd

    from myths.lab.report.view import ClaimView, RunView

FORMAT = "seven-myths-claims/1"
"""Which schema ``claims.json`` keeps to: ``schema/claims.schema.json``."""
LONG = 40
"""A LaTeX table of more rows breaks over pages."""


def write(runs: Iterable[RunView], folder: Path) -> None:
    """Writes ``claims.json`` and ``seven-myths.bib`` into ``folder``; nothing at all without runs.

    Raises CannotStart where a file cannot be written.
    """
    views = list(runs)
    if views:
        write_atomically(folder / "claims.json", json.dumps(claims(views), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        write_atomically(folder / "seven-myths.bib", references.bibtex(paper for view in views for paper in view.derived.myth.papers))


# --- tables ----------------------------------------------------------------------------------------


def markdown(table: pd.DataFrame) -> str:
    """Return a table in GitHub's Markdown, without the ids of its trials; nothing in a cell is read as markup."""
    return _as_text(table.drop(columns=TRIALS, errors="ignore"), markdown_cell).to_markdown(index=False, disable_numparse=True) + "\n"


def latex(table: pd.DataFrame) -> str:
    """Return a table for LaTeX with booktabs (longtable for more than 40 rows), without the ids of its trials.

    Nothing in a cell is read as a command.
    """
    table = table.drop(columns=TRIALS, errors="ignore")
    aligned = "".join("r" if table[column].dtype.kind in "if" else "l" for column in table.columns)
    cells = _as_text(table, escaped)
    head, *body = (" & ".join(map(str, line)) + r" \\" for line in [cells.columns, *cells.itertuples(index=False, name=None)])
    long = len(table) > LONG
    around = "longtable" if long else "tabular"
    lines = [
        f"% \\usepackage{{{'booktabs, longtable' if long else 'booktabs'}}}",
        f"\\begin{{{around}}}{{{aligned}}}", r"\toprule", head, r"\midrule", *([r"\endhead", r"\bottomrule", r"\endfoot"] if long else []),
        *body, *([] if long else [r"\bottomrule"]), f"\\end{{{around}}}", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _as_text(table: pd.DataFrame, escape: Any) -> pd.DataFrame:
    import pandas as pd

    escaped_once = functools.cache(escape)  # texts repeat from row to row
    columns = []
    for place in range(table.shape[1]):
        column = table.iloc[:, place]
        values = column.astype(object).tolist()
        if column.dtype.kind == "f":  # a number has no sign that is markup
            columns.append(["" if math.isnan(value) else f"{value:.10g}" for value in values])
        else:
            columns.append([escaped_once(_words(value)) for value in values])
    return pd.DataFrame(list(zip(*columns, strict=True)), columns=[escape(str(column)) for column in table.columns], dtype=object)


def _words(value: Any) -> str:
    """A cell as in the CSV: ten digits, nothing where there is no value."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def markdown_cell(text: str) -> str:
    """Text as a cell of a table in Markdown, on one line and without markup."""
    one_line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", one_line)


# --- claims.json -------------------------------------------------------------------------------------


def claims(views: Iterable[RunView]) -> dict[str, Any]:
    """Every claim of every run as plain JSON: the paper's number, ours, the criterion, the verdict, and where it comes from."""
    views = list(views)
    return {
        "format": FORMAT,
        "runs": {view.key: _provenance(view) for view in views},
        "claims": [_claim(claim, view) for view in views for claim in view.claims],
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


def _claim(row: ClaimView, view: RunView) -> dict[str, Any]:
    judgement = row.judgement
    claim, estimate = judgement.claim, judgement.estimate
    return {
        "run": view.key,
        "myth": view.derived.myth.name,
        "claim": claim.id,
        "kind": claim.kind,
        "decisive": judgement.decisive,
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
        "trials": [record.trial.id for record in row.records],
        "invocations": list(dict.fromkeys(record.invocation for record in row.records)),
    }


def _number(value: float) -> float | None:
    """JSON knows no infinity: an open end is null."""
    return float(value) if math.isfinite(value) else None
