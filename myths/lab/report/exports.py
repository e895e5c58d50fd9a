"""What others take from a report: every table as Markdown and LaTeX, the claims as JSON, the references."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from myths.lab.claim_record import ClaimRecord
from myths.lab.report import references
from myths.lab.report.json_schema import json_schema
from myths.lab.report.latex import escaped
from myths.lab.run_folder import write_atomically
from myths.lab.setting import Text
from myths.lab.tables import TRIALS

if TYPE_CHECKING:
    import pandas as pd

    from myths.lab.report.run_view import RunView

FORMAT = "seven-myths-claims/3"
"""Which schema ``claims.json`` keeps to: ``schema/claims.schema.json``."""
MAX_TABULAR_ROWS = 40
"""A LaTeX table of more rows breaks over pages."""


def write(runs: Iterable[RunView], folder: Path) -> None:
    """Writes ``claims.json`` and ``seven-myths.bib`` into ``folder``; nothing at all without runs.

    Raises CannotStart where a file cannot be written.
    """
    views = list(runs)
    if views:
        write_atomically(folder / "claims.json", json.dumps(claims(views), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        write_atomically(folder / "seven-myths.bib", references.bibtex(paper for view in views for paper in view.analysis.myth.papers))


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
    long = len(table) > MAX_TABULAR_ROWS
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


@dataclass(frozen=True)
class Invocation:
    """One call of `myths run`."""

    id: str
    """Id, as claims name it."""
    started: str | None
    """ISO 8601, UTC."""
    commit: str | None
    """Commit of the suite; null outside a checkout."""
    dirty: bool | None
    """Whether anything differed from that commit."""
    machine: Mapping[str, Any] | None
    """Device, driver, threads, precision."""
    packages: Mapping[str, str] | None
    """Versions of the packages."""


@dataclass(frozen=True)
class Run:
    """Where the numbers of a run come from."""

    name: str
    """Name of the run's folder."""
    published: bool
    """Whether it is committed with the suite; else it was made on the machine that wrote the report."""
    machine_class: str | None
    """cpu, or the model of the GPU."""
    data: Mapping[str, Annotated[str, Text(r"[0-9a-f]{64}", "64 hexadecimal digits")] | None]
    """SHA-256 of the content of each dataset that the run read."""
    invocations: tuple[Invocation, ...]
    """Calls of `myths run`, the oldest first."""


def claims(views: Iterable[RunView]) -> dict[str, Any]:
    """Return every claim of every run as plain JSON, each as its record says it, with the key of its run."""
    views = list(views)
    return {
        "format": FORMAT,
        "runs": {view.key: asdict(_run(view)) for view in views},
        "claims": [{"run": view.key, **record.json()} for view in views for record in view.analysis.claims],
    }


def _run(view: RunView) -> Run:
    metadata = view.metadata
    named = [field.name for field in fields(Invocation)]
    return Run(
        name=view.name,
        published=view.analysis.run.is_published,
        machine_class=metadata.get("machine_class"),
        data={name: entry["sha256"] for name, entry in metadata["data"].items()},
        invocations=tuple(Invocation(**{name: each.get(name) for name in named}) for each in metadata["invocations"]),
    )


def schema() -> dict[str, Any]:
    """Return the JSON Schema of ``claims.json``, made from the records that it holds; ``schema/claims.schema.json`` is a copy."""
    claim = json_schema(ClaimRecord)
    claim["properties"] = {"run": {"type": "string", "description": "A key of `runs`."}, **claim["properties"]}
    claim["required"] = list(claim["properties"])
    properties = {
        "format": {"const": FORMAT, "description": "Rises when a key changes its meaning or goes."},
        "runs": {"type": "object", "additionalProperties": json_schema(Run), "description": "Runs by the key that claims name."},
        "claims": {"type": "array", "items": claim},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "claims.json of a Seven Myths report",
        "description": "Every claim of every run in a report: the paper's number beside the one measured here, the criterion that was "
        "committed before the run, and the verdict. Intervals are 95 %. Infinite or absent numbers are null.",
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }
