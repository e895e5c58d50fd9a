"""A run as one archive that others can check: what may be published of it, with checksums; and the check."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import math
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths.lab.derived import derive
from myths.lab.errors import CannotStart, MythsError, UsageError
from myths.lab.myth import Myth
from myths.lab.publish import publish
from myths.lab.run_folder import RunFolder
from myths.lab.trial import decode

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SUMS = "SHA256SUMS"
MOST_BYTES = 256 * 2**20
"""Of an archive when unpacked; rows, tables and figures of all myths take a few per cent of it."""
SAME = 1e-6
"""Relative difference that two machines may have in a number derived from the same rows."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*){1,3}", flags=re.ASCII)
_LINE: dict[str, type | tuple[type, ...]] = {
    "id": str, "trial": str, "version": int, "settings": dict, "protocol": str, "status": str, "rows": list, "arrays": dict, "data": dict,
    "seconds": (int, float), "peak_memory_bytes": int, "device": str, "invocation": str, "error": (str, type(None)),
}  # fmt: skip
"""What a line of trials.jsonl holds."""
_ENERGY = "energy_joules"
"""What it may hold besides, a number above 0."""


def submit(run: RunFolder, folder: Path, myths: Sequence[Myth]) -> Path:
    """Packs a run into ``folder/<run>.tar.gz`` and gives its path: run.json, trials, tables, claims, figures, and their checksums.

    Trials of a class or version that the suite no longer knows stay behind, as they do in tables. The same results give the same bytes.
    Nothing is written into the run. Raises CannotStart for what ``publish`` refuses (no results,
    uncommitted changes, a path, a user or a host in it), and where the archive cannot be written.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copy = RunFolder(Path(scratch) / "copy" / run.name)
        copy.path.mkdir(parents=True)
        if (run.path / "run.json").exists():
            shutil.copyfile(run.path / "run.json", copy.path / "run.json")
        for myth in (myth for myth in myths if run.has(myth)):
            (copy.path / myth.folder).mkdir()
            lines = (run.path / myth.folder / "trials.jsonl").read_text("utf-8").split("\n")
            (copy.path / myth.folder / "trials.jsonl").write_text("\n".join(line for line in lines if not _is_stale(line, myth)), "utf-8")
        clean = publish(copy, Path(scratch) / "clean", [replace(myth, pictures={}) for myth in myths])
        files = {p.relative_to(clean).as_posix(): p.read_bytes() for p in sorted(clean.rglob("*")) if p.is_file()}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    archive = folder / f"{run.name}.tar.gz"
    try:
        archive.write_bytes(_packed(run.name, {**files, SUMS: sums.encode()}))
    except OSError as error:
        raise CannotStart(f"cannot write {archive}: {error.strerror or error}; make room or go to another folder") from error
    return archive


def _is_stale(text: str, myth: Myth) -> bool:
    try:
        line = json.loads(text)
    except ValueError:
        return False  # the store knows what to do about it
    return isinstance(line, dict) and _protocol(line, myth) is None


def verify(archive: Path, myths: Sequence[Myth]) -> list[str]:
    """What is wrong with a submitted archive, a sentence each; empty when everything holds.

    Checksums, the form of every line, ids recomputed from settings, clean commits, and every table and claim rebuilt from the lines.
    Nothing of the archive is run, and nothing of it stays. Raises UsageError where there is no such file, CannotStart for one that is
    no archive of a run.
    """
    files = _unpacked(archive)
    expected = _expected(files, myths)
    strangers = sorted(files.keys() - expected - {SUMS})
    wrong = [*_checksums(files), *(f"{name} is nothing that a run of a myth known here holds" for name in strangers)]
    with tempfile.TemporaryDirectory() as scratch:
        run = RunFolder(Path(scratch) / "run")
        for name in files.keys() & expected:
            (run.path / name).parent.mkdir(parents=True, exist_ok=True)
            (run.path / name).write_bytes(files[name])
        try:
            known = {invocation["id"]: invocation for invocation in run.facts()["invocations"]}
        except MythsError:
            return [*wrong, "run.json is not the record of a run"]
        for myth in myths:
            if run.has(myth):
                log.info("lines, tables and claims of %s", myth.name)
                broken = list(_lines(files[f"{myth.folder}/trials.jsonl"], myth, known))
                wrong += broken or list(_derived(run, myth))
    return wrong


# --- the archive -------------------------------------------------------------------------------------


def _packed(top: str, files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{top}/{name}")  # with no owner and no date
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _unpacked(archive: Path) -> dict[str, bytes]:
    """The files of an archive in memory, by name below its one folder. Nothing but plain files with plain names gets in."""
    try:
        with gzip.open(archive) as file:
            content = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(f"there is no archive {archive}: `myths submit RUN` makes one") from error
    except (OSError, EOFError, zlib.error) as error:
        raise CannotStart(f"{archive} is no .tar.gz, or only a part of one: get it again") from error
    if len(content) > MOST_BYTES:
        raise CannotStart(f"{archive} holds more than {MOST_BYTES // 2**20} MiB: that is no submitted run")
    files: dict[str, bytes] = {}
    tops = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for entry in tar:
                top, _, name = entry.name.partition("/")
                if not entry.isreg() or not _NAME.fullmatch(entry.name) or name in files:
                    raise CannotStart(f"{archive} holds {entry.name[:80]!r}, which is no plain file below one folder: it is not opened")
                tops.add(top)
                files[name] = tar.extractfile(entry).read()  # type: ignore[union-attr]
    except tarfile.TarError as error:
        raise CannotStart(f"{archive} is no .tar.gz, or only a part of one: get it again") from error
    if len(tops) != 1 or not files.keys() >= {"run.json", SUMS}:
        raise CannotStart(f"{archive} is not the archive of one run: it lacks run.json or {SUMS}")
    return files


def _checksums(files: Mapping[str, bytes]) -> Iterator[str]:
    lines = [line.partition("  ") for line in files[SUMS].decode(errors="replace").splitlines()]
    listed = {name: sha256 for sha256, _, name in lines}
    for name in sorted((listed.keys() | files.keys()) - {SUMS}):
        if name not in files:
            yield f"{name} is in {SUMS} and not in the archive"
        elif name not in listed:
            yield f"{name} is not in {SUMS}"
        elif hashlib.sha256(files[name]).hexdigest() != listed[name]:
            yield f"{name} is not what {SUMS} says: it was changed or damaged"


def _expected(files: Mapping[str, bytes], myths: Sequence[Myth]) -> set[str]:
    expected = {"run.json"}
    for myth in (myth for myth in myths if f"{myth.folder}/trials.jsonl" in files):
        parts = ["trials.jsonl", "claims.csv", *(f"{name}.csv" for name in myth.tables), *(f"figures/{name}.svg" for name in myth.figures)]
        expected |= {f"{myth.folder}/{part}" for part in parts}
    return expected


# --- lines and what follows from them ----------------------------------------------------------------


def _lines(content: bytes, myth: Myth, invocations: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong with the lines of one myth: form, identity, origin."""
    for number, text in enumerate(content.decode(errors="replace").rstrip("\n").split("\n"), start=1):
        where = f"{myth.folder}/trials.jsonl line {number}"
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict) or line.keys() - {_ENERGY} != _LINE.keys():
            yield f"{where} is not a result"
            continue
        if _ENERGY in line and not (isinstance(line[_ENERGY], float) and line[_ENERGY] > 0):
            yield f"{where}: its {_ENERGY} is {line[_ENERGY]!r}"
            continue
        if misfits := [name for name, kind in _LINE.items() if not isinstance(line[name], kind)]:
            yield f"{where}: {misfits[0]} is a {type(line[misfits[0]]).__name__}"
            continue
        canonical = {name: line[name] for name in ("trial", "version", "settings")}
        identity = hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()[:12]
        if identity != line["id"]:
            yield f"{where}: its settings make it {identity}, it calls itself {line['id']}"
        if _protocol(line, myth) not in (None, line["protocol"]):
            yield f"{where}: its settings are of the protocol {_protocol(line, myth)}, it says {line['protocol']}"
        origin = invocations.get(line["invocation"])
        if origin is None:
            yield f"{where} is of an invocation that run.json does not know"
        elif not origin.get("commit") or origin.get("dirty") is not False:
            yield f"{where} was not made from a clean commit"


def _protocol(line: Mapping[str, Any], myth: Myth) -> str | None:
    """The protocol that the settings of a line amount to; None where this version of the suite does not know the trial."""
    try:
        return decode(line, myth.types_by_name).protocol
    except (KeyError, ValueError, TypeError, UsageError):
        return None


def _derived(run: RunFolder, myth: Myth) -> Iterator[str]:
    """Where the tables and claims of the archive are not what its lines give."""
    try:
        found, store = derive(myth, run), run.store(myth)
    except Exception as error:  # noqa: BLE001 (rows that a table does not expect: whatever it says is the finding)
        yield f"{myth.folder}: no tables can be made of its trials ({' '.join(str(error).split())[:200]})"
        return
    if unknown := sorted(set(store.stale)):
        yield f"{myth.folder}: {len(store.stale)} trials are unknown to this version of the suite: {', '.join(unknown[:3])}"
    for name, table in [*found.tables.items(), ("claims", found.claims_table())]:
        file = run.path / myth.folder / f"{name}.csv"
        if file.exists() and not len(table):
            yield f"{myth.folder}/{name}.csv is there, and its trials give no rows for it"
        elif len(table) and not file.exists():
            yield f"{myth.folder}/{name}.csv is not there, and its trials give {len(table)} rows for it"
        elif file.exists() and (difference := _difference(file, table)):
            yield f"{myth.folder}/{name}.csv is not what its trials give: {difference}"


def _difference(file: Path, table: pd.DataFrame) -> str | None:
    """Where a CSV is not the table, in words; numbers may differ by what two machines make of the same sum."""
    import pandas as pd

    try:
        there, rebuilt = (pd.read_csv(source, dtype=str, keep_default_na=False) for source in (file, io.StringIO(_csv(table))))
    except ValueError as error:
        return f"it is no table ({error})"
    if list(there.columns) != list(rebuilt.columns) or len(there) != len(rebuilt):
        return f"{len(there)} rows of {len(there.columns)} columns, rebuilt {len(rebuilt)} of {len(rebuilt.columns)}"
    for column in there:
        for row, (one, other) in enumerate(zip(there[column], rebuilt[column], strict=True), start=1):
            if one != other and not _close(one, other):
                return f"row {row}, {column}: {one[:60]!r}, rebuilt {other[:60]!r}"
    return None


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.10g", lineterminator="\n")


def _close(one: str, other: str) -> bool:
    try:
        return math.isclose(float(one), float(other), rel_tol=SAME, abs_tol=SAME**2)
    except ValueError:
        return False
