"""Convert the published lines of one myth from the names of commit 06cc327 to those of this commit.

Run once from the root of a checkout: ``.venv/bin/python results/convert_saliency.py``; the next commit deletes this file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from myths import suite
from myths.lab.trial import canonical, decode

MYTH = "saliency"
FROM = "06cc327"
# All keys are old names. "*" stands for every class.
CLASSES: dict[str, str] = {
    "Pretrained": "EvaluatePretrained",
    "Curvature": "MeasureCurvature",
    "Influence": "MeasureInfluence",
    "Attack": "AttackUserImages",
}
_ATTACK: dict[str, str | None] = {
    "iterations": "n_iterations",
    "step": "step_size",
    "checkpoint": "eval_interval",
    "shared": "share_trajectory",
    "attack_passes": "attack_n_steps",
    "map_passes": "n_steps",
}
_NULL = {f"other_{name}": f"null_{name}" for name in ("intersection", "lens_recall", "spearman", "center_shift_px")}
FIELDS: dict[str, dict[str, str | None]] = {
    "AttackImages": _ATTACK,
    "RandomizeParameters": {"map_passes": "n_steps"},
    "Curvature": {"beta": "surrogate_beta"},
    "Influence": {"train": "n_train", "top": "n_helpful"},
    "Attack": {**_ATTACK, "side": "image_size", "label": "target"},
}  # class -> field -> new field; None drops a field
VALUES: dict[str, dict[str, dict[Any, Any]]] = {}  # class -> field -> value -> new value (items of a tuple too)
COLUMNS: dict[str, dict[str, str]] = {
    "AttackImages": {
        "chunk": "internal_batch_size",
        "attack_chunk": "attack_internal_batch_size",
        "moved": "linf_levels",
        "completeness_gap": "completeness_error",
        **_NULL,
    },
    "Attack": {"moved": "linf_levels", "completeness_gap": "completeness_error"},
    "RandomizeParameters": {"layers": "n_randomized", "of": "n_layers"},
    "Curvature": {
        "sharpness": "beta",
        "change": "gradient_change",
        "predicted": "predicted_change",
        "gradient": "gradient_norm",
    },
}  # class -> column of a row -> new column
ROW_VALUES: dict[str, dict[str, dict[Any, Any]]] = {}  # class -> column -> value -> new value
ARRAYS: dict[str, dict[str, str]] = {}  # class -> array -> new array


def of(table: dict[str, dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return the names of one class, with those of every class."""
    return {**table.get("*", {}), **table.get(kind, {})}


def mapped(value: Any, names: dict[Any, Any]) -> Any:
    """Return a value, or the items of a list, with new names."""
    if isinstance(value, list):
        return [mapped(each, names) for each in value]
    if isinstance(value, dict | bool) or value is None:
        return value
    return names.get(value, value)


def trial_record(old: Any) -> Any:
    """The canonical record of a trial, and of the trials in its settings, with the new names."""
    if isinstance(old, list):
        return [trial_record(each) for each in old]
    if not (isinstance(old, dict) and "trial" in old):
        return old
    kind, settings = old["trial"], {}
    for name, value in old["settings"].items():
        new = of(FIELDS, kind).get(name, name)
        if new is not None:
            settings[new] = mapped(trial_record(value), of(VALUES, kind).get(name, {}))
    return {"trial": CLASSES.get(kind, kind), "version": old["version"], "settings": settings}


def row_record(kind: str, row: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """Return a row with new columns, values and ids of trials."""
    columns, values = of(COLUMNS, kind), of(ROW_VALUES, kind)
    return {columns.get(c, c): mapped(mapped(v, values.get(c, {})), ids) for c, v in row.items()}


def convert(folder: Path, types_by_name: dict[str, Any]) -> dict[str, str]:
    """Rewrite trials.jsonl and arrays/ of one myth in one run. Returns old id -> new id."""
    lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text(encoding="utf-8").splitlines()]
    trials = [decode(trial_record(line), types_by_name) for line in lines]
    ids = {line["id"]: trial.id for line, trial in zip(lines, trials, strict=True)}
    assert len(set(ids.values())) == len(ids), "two trials became one"
    written = []
    for line, trial in zip(lines, trials, strict=True):
        kind = line["trial"]
        assert trial.protocol == line["protocol"], (line["id"], trial.protocol)
        new = {**line, "id": trial.id, **canonical(trial)}
        new["rows"] = [row_record(kind, row, ids) for row in line["rows"]]
        new["arrays"] = {of(ARRAYS, kind).get(name, name): sha256 for name, sha256 in line["arrays"].items()}
        written.append(json.dumps(new, ensure_ascii=False, allow_nan=False))
    (folder / "trials.jsonl").write_text("\n".join(written) + "\n", encoding="utf-8")
    kinds = {line["id"]: line["trial"] for line in lines}
    loaded = {}
    for file in sorted((folder / "arrays").glob("*.npz")):
        with np.load(file, allow_pickle=False) as archive:
            loaded[file.stem] = {of(ARRAYS, kinds[file.stem]).get(name, name): archive[name] for name in archive.files}
        file.unlink()
    for old, arrays in loaded.items():
        np.savez_compressed(folder / "arrays" / f"{ids[old]}.npz", **arrays)
    return ids


myth = next(m for m in suite.OURS if m.folder == MYTH)
for run in sorted(Path("results/published").iterdir()):
    if (run / MYTH / "trials.jsonl").exists():
        ids = convert(run / MYTH, myth.types_by_name)
        print(run.name, len(ids), "trials,", sum(old != new for old, new in ids.items()), "new ids")
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    for invocation in facts["invocations"]:
        for entry in invocation["skipped"]:
            if entry["myth"] == myth.name:
                entry["trial"] = trial_record(entry["trial"])
        arguments = invocation["arguments"]
        for key in ("trials",):
            if key in arguments and arguments["myths"] == [myth.name]:
                arguments[key] = [CLASSES.get(each, each) for each in arguments[key]]
    facts["converted"] = FROM
    (run / "run.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
