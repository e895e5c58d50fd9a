"""Export tables as Markdown and LaTeX, claims as JSON, and references as BibTeX."""

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
from myths.lab.setting import Text
from myths.lab.storage.run_folder import write_atomically
from myths.lab.tables import TRIALS

if TYPE_CHECKING:
    import pandas as pd

    from myths.lab.report.run_view import RunView

FORMAT = "seven-myths-claims/3"
"""Format version of ``claims.json``. Its schema is ``schema/claims.schema.json``."""
MAX_TABULAR_ROWS = 40
"""Maximum number of rows of a ``tabular``; longer tables use ``longtable``, which breaks across pages."""


def write(runs: Iterable[RunView], folder: Path) -> None:
    """Write ``claims.json`` and ``seven-myths.bib`` into ``folder``, if there are any runs.

    Raises:
        CannotStart: A file cannot be written.
    """
    views = list(runs)
    if views:
        write_atomically(folder / "claims.json", json.dumps(claims(views), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        write_atomically(folder / "seven-myths.bib", references.bibtex(paper for view in views for paper in view.analysis.myth.papers))


# --- tables ----------------------------------------------------------------------------------------


def markdown(table: pd.DataFrame) -> str:
    """Return a table as GitHub-flavored Markdown without the column of trial ids. Cells are escaped."""
    return _as_text(table.drop(columns=TRIALS, errors="ignore"), markdown_cell).to_markdown(index=False, disable_numparse=True) + "\n"


def latex(table: pd.DataFrame) -> str:
    """Return a table as LaTeX with booktabs (longtable for more than 40 rows), without the column of trial ids.

    Cells are escaped.
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
    """Format a cell as in the CSV: ten significant digits; empty if there is no value."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def markdown_cell(text: str) -> str:
    """Escape text for a cell of a Markdown table, on one line."""
    one_line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", one_line)


# --- claims.json -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Invocation:
    """One invocation of `myths run`."""

    id: str
    """Id that claims refer to."""
    started: str | None
    """ISO 8601, UTC."""
    commit: str | None
    """Commit of the suite; null outside a checkout."""
    dirty: bool | None
    """Whether the checkout had uncommitted changes."""
    machine: Mapping[str, Any] | None
    """Device, driver, threads, precision."""
    packages: Mapping[str, str] | None
    """Versions of the packages."""


@dataclass(frozen=True)
class Run:
    """Provenance of a run."""

    name: str
    """Name of the run's folder."""
    published: bool
    """Whether the run is committed with the suite; otherwise it was made on the machine that wrote the report."""
    machine_class: str | None
    """cpu, or the model of the GPU."""
    data: Mapping[str, Annotated[str, Text(r"[0-9a-f]{64}", "64 hexadecimal digits")] | None]
    """SHA-256 of the content of each dataset that the run used."""
    invocations: tuple[Invocation, ...]
    """Invocations of `myths run`, oldest first."""


def claims(views: Iterable[RunView]) -> dict[str, Any]:
    """Return the content of ``claims.json``: every claim of every run, with the key of its run."""
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
    """Return the JSON Schema of ``claims.json``, generated from its dataclasses. ``schema/claims.schema.json`` is a copy."""
    claim = json_schema(ClaimRecord)
    claim["properties"] = {"run": {"type": "string", "description": "A key of `runs`."}, **claim["properties"]}
    claim["required"] = list(claim["properties"])
    properties = {
        "format": {"const": FORMAT, "description": "Incremented when a key is removed or changes its meaning."},
        "runs": {"type": "object", "additionalProperties": json_schema(Run), "description": "Runs by the key that claims refer to."},
        "claims": {"type": "array", "items": claim},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "claims.json of a Seven Myths report",
        "description": "Every claim of every run in a report: the paper's number, the measured number with its 95 % interval, the "
        "criterion, and the verdict. Infinite or missing numbers are null.",
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }
