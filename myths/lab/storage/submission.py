"""Pack a run into an archive with checksums, and verify such an archive."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import logging
import math
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths.lab.analysis import Analysis, analyze, render_figures
from myths.lab.errors import CannotStart, MythsError, UsageError
from myths.lab.myth import Myth
from myths.lab.storage import published_arrays
from myths.lab.storage.publish import publish
from myths.lab.storage.run_folder import REMEDY, SUBMITTED, RunFolder
from myths.lab.storage.store import RECORD_KEYS, complete_lines, record_error
from myths.lab.tables import as_csv
from myths.lab.trial import decode

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

CHECKSUM_FILE = "SHA256SUMS"
MAX_BYTES = 256 * 2**20
"""Maximum size of an unpacked archive. A run of all myths takes a few percent of it."""
TEXT_COLUMNS = ("statement", "source", "source_of_variation", "reason")
"""Columns of ``claims.csv`` with prose. They are not compared, because a sentence may be reworded without changing a number."""
RELATIVE_TOLERANCE = 1e-6
"""Largest relative difference between two machines of a number computed from the same rows."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*){1,3}", flags=re.ASCII)


def submit(run: RunFolder, folder: Path, myths: Sequence[Myth]) -> Path:
    """Pack a run into ``folder/<run>.tar.gz``: ``run.json``, trials, tables, claims, figures, published arrays, and checksums.

    Trials of a class or version that the suite no longer knows are left out, as in tables. The same results give the same bytes. The run
    itself is not changed.

    Args:
        run: The run.
        folder: Folder of the archive.
        myths: Myths of the suite.

    Returns:
        Path of the archive.

    Raises:
        CannotStart: All trials are of another version, ``publish`` would refuse the run, or the archive cannot be written.
    """
    for myth in (myth for myth in myths if run.has_results(myth)):
        _ = run.store(myth).records  # an error about an unreadable file then names the original, not the copy
    with tempfile.TemporaryDirectory() as scratch:
        copy = RunFolder(Path(scratch) / "copy" / run.name)
        copy.path.mkdir(parents=True)
        if (run.path / "run.json").exists():
            shutil.copyfile(run.path / "run.json", copy.path / "run.json")
        for myth in (myth for myth in myths if run.has_results(myth)):
            (copy.path / myth.folder).mkdir()
            kept = [line for line in complete_lines(run.path / myth.folder / "trials.jsonl") if not _is_stale(line, myth)]
            (copy.path / myth.folder / "trials.jsonl").write_text("".join(f"{line}\n" for line in kept), "utf-8")
        if not any(copy.store(myth).records for myth in myths if copy.has_results(myth)) and any(run.store(m).stale for m in myths):
            raise CannotStart(
                f"All trials of run {run.name!r} were made by another version of Seven Myths. Submit them with that version, or repeat the "
                f"run: `myths run --run {run.name}`"
            )
        clean = publish(copy, Path(scratch) / "clean", [replace(myth, pictures={}) for myth in myths])
        for myth in (myth for myth in myths if run.has_results(myth)):
            published_arrays.write(run, myth, clean / myth.folder)
        files = {p.relative_to(clean).as_posix(): p.read_bytes() for p in sorted(clean.rglob("*")) if p.is_file()}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    archive = folder / f"{run.name}.tar.gz"
    partial = archive.with_name(f".{archive.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(_packed(run.name, {**files, CHECKSUM_FILE: sums.encode()}))
        partial.replace(archive)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise CannotStart(f"Cannot write {archive}: {error.strerror or error}. Free disk space or change to another folder") from error
    return archive


def _is_stale(text: str, myth: Myth) -> bool:
    try:
        line = json.loads(text)
    except ValueError:
        return False  # the store reports the error
    return isinstance(line, dict) and _protocol(line, myth) is None


@dataclass(frozen=True)
class Verification:
    """The result of verifying an archive.

    Attributes:
        wrong: Errors, one sentence each; empty if the archive is valid.
        unchecked: What could not be checked on this machine, and why.
    """

    wrong: tuple[str, ...]
    unchecked: tuple[str, ...] = ()


def verify(archive: Path, myths: Sequence[Myth], checkout: Path | None = None) -> Verification:
    """Verify a submitted archive.

    The checks cover checksums, the format of every line, ids recomputed from settings, commits, and every table, claim and figure, rebuilt
    from the lines. Numbers, verdicts, ids and labels are compared; prose about claims is not. No code of the archive is executed, and
    nothing of it is kept.

    Args:
        archive: A file that ``submit`` wrote.
        myths: Myths of the suite.
        checkout: Git checkout of the suite in which the commits are looked up, or None.

    Returns:
        Errors, and what could not be checked.

    Raises:
        UsageError: The file does not exist.
        CannotStart: The file is not an archive of a run.
    """
    files = _unpacked(archive)
    expected = _expected(files, myths)
    unknown = sorted(files.keys() - expected - {CHECKSUM_FILE})
    wrong = [*_checksum_errors(files), *(f"{name} is not a file of a run of a known myth" for name in unknown)]
    unchecked: list[str] = []
    if not any(name.endswith("/trials.jsonl") and files[name].strip() for name in files.keys() & expected):
        wrong.append("the archive has no trial")
    with tempfile.TemporaryDirectory() as scratch:
        run = _write(files, expected, Path(scratch) / "run")
        try:
            invocations = run.metadata()["invocations"]
            for each in invocations:
                datetime.fromisoformat(each["started"])
        except MythsError as error:
            reason = str(error).replace(str(run.path / "run.json"), "run.json").removesuffix(REMEDY)
            return Verification((*wrong, reason.rstrip()))
        except ValueError as error:
            return Verification((*wrong, f"Invalid run.json: {error}"))
        known = {invocation["id"]: invocation for invocation in invocations}
        if len(known) < len(invocations):
            wrong.append("run.json lists an invocation twice")
        absent, unknowable = _commit_errors({i["commit"] for i in invocations if i["commit"]}, checkout)
        wrong += absent
        unchecked += unknowable
        for myth in myths:
            if run.has_results(myth):
                log.info("lines, tables and claims of %s", myth.name)
                broken = list(_line_errors(files[f"{myth.folder}/trials.jsonl"], myth, known))
                wrong += broken
                if not broken:
                    bad, unsure = _rebuild_errors(run, myth, files)
                    wrong += bad
                    unchecked += unsure
    return Verification(tuple(wrong), tuple(unchecked))


def extract(archive: Path, folder: Path, myths: Sequence[Myth]) -> RunFolder:
    """Unpack a submitted archive whose checksums match. ``verify`` checks more.

    Args:
        archive: A file that ``submit`` wrote.
        folder: The run is a new folder in it, with the name of the archive.
        myths: Myths of the suite.

    Raises:
        UsageError: The file does not exist.
        CannotStart: The file is not an archive of a run, or it was changed.
    """
    files = _unpacked(archive)
    if wrong := list(_checksum_errors(files)):
        raise CannotStart(f"{archive}: {wrong[0]}. `myths verify {archive}` lists all errors")
    return _write(files, _expected(files, myths), folder / SUBMITTED / archive.name.removesuffix(".tar.gz"))


def _write(files: Mapping[str, bytes], names: Collection[str], folder: Path) -> RunFolder:
    """Write some files of an archive into a folder."""
    for name in files.keys() & names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(files[name])
    return RunFolder(folder)


def _rebuild_errors(run: RunFolder, myth: Myth, files: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
    """Rebuild tables, claims and figures from valid lines. Return errors, and what could not be checked, one sentence each."""
    wrong = [*_array_errors(run, myth, files)]
    analysis = _analysis(run, myth)
    if isinstance(analysis, str):
        return [*wrong, analysis], []
    bad, unsure = _figure_errors(analysis, {name: files[name] for name in files if name.startswith(f"{myth.folder}/figures/")})
    return [*wrong, *_table_errors(analysis, run), *bad], [*unsure]


def _commit_errors(commits: Collection[str], checkout: Path | None) -> tuple[list[str], list[str]]:
    """Return errors of the commits, and which commits could not be looked up."""
    wrong, unknown = [], []
    for commit in sorted(commits):
        if not re.fullmatch(r"[0-9a-f]{40}", commit):
            wrong.append(f"run.json: invalid commit {commit[:50]!r}: expected 40 hexadecimal digits")
        elif checkout is not None and _git(checkout, "cat-file", "-e", f"{commit}^{{commit}}") is None:
            unknown.append(commit)
    if checkout is not None and _git(checkout, "rev-parse", "--is-shallow-repository") == "false":
        return wrong + [f"run.json: {checkout} has no commit {commit}, even after `git fetch --all`?" for commit in unknown], []
    known = len(commits) - len(wrong)
    return wrong, [f"commits ({known}): no full git checkout of the suite is available"] if known else []


def _git(checkout: Path, *arguments: str) -> str | None:
    """Return the output of git, or None if it fails or is not installed."""
    try:
        done = subprocess.run(["git", "-C", str(checkout), *arguments], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


# --- the archive -------------------------------------------------------------------------------------


def _packed(top: str, files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{top}/{name}")  # without owner and date
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _unpacked(archive: Path) -> dict[str, bytes]:
    """Return the files of an archive by name below its top folder. Accept only regular files with plain names."""
    try:
        with gzip.open(archive) as file:
            content = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(f"Archive {archive} does not exist. `myths submit RUN` writes one") from error
    except (OSError, EOFError, zlib.error) as error:
        raise CannotStart(f"{archive} is no .tar.gz, or only a part of one: get it again") from error
    if len(content) > MAX_BYTES:
        raise CannotStart(f"{archive} has more than {MAX_BYTES // 2**20} MiB when unpacked: expected a submitted run")
    files: dict[str, bytes] = {}
    tops = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for entry in tar:
                top, _, name = entry.name.partition("/")
                if not entry.isreg() or not _NAME.fullmatch(entry.name) or name in files:
                    raise CannotStart(f"{archive} contains {entry.name[:80]!r}: expected regular files in one folder")
                tops.add(top)
                files[name] = tar.extractfile(entry).read()  # type: ignore[union-attr]
    except tarfile.TarError as error:
        raise CannotStart(f"{archive} is no .tar.gz, or only a part of one: get it again") from error
    if len(tops) != 1 or not files.keys() >= {"run.json", CHECKSUM_FILE}:
        raise CannotStart(f"{archive} is not an archive of one run: expected run.json and {CHECKSUM_FILE}")
    return files


def _checksum_errors(files: Mapping[str, bytes]) -> Iterator[str]:
    lines = [line.partition("  ") for line in files[CHECKSUM_FILE].decode(errors="replace").splitlines()]
    listed = {name: sha256 for sha256, _, name in lines}
    for name in sorted((listed.keys() | files.keys()) - {CHECKSUM_FILE}):
        if name not in files:
            yield f"{name} is listed in {CHECKSUM_FILE} but not in the archive"
        elif name not in listed:
            yield f"{name} is not listed in {CHECKSUM_FILE}"
        elif hashlib.sha256(files[name]).hexdigest() != listed[name]:
            yield f"{name} does not match {CHECKSUM_FILE}: it was changed or damaged"


def _expected(files: Mapping[str, bytes], myths: Sequence[Myth]) -> set[str]:
    expected = {"run.json"}
    for myth in (myth for myth in myths if f"{myth.folder}/trials.jsonl" in files):
        parts = ["trials.jsonl", "claims.csv", *(f"{name}.csv" for name in myth.tables), *(f"figures/{name}.svg" for name in myth.figures)]
        expected |= {f"{myth.folder}/{part}" for part in parts}
        expected |= {name for name in files if re.fullmatch(rf"{myth.folder}/arrays/[0-9a-f]{{12}}\.npz", name)}
    return expected


# --- lines and what follows from them ----------------------------------------------------------------


def _line_errors(content: bytes, myth: Myth, invocations: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the errors of the lines of one myth: format, id, protocol, invocation."""
    seen: dict[str | tuple[str, str], int] = {}
    attempts: Counter[str] = Counter()
    for number, text in enumerate(content.decode(errors="replace").rstrip("\n").split("\n"), start=1):
        where = f"{myth.folder}/trials.jsonl line {number}"
        try:
            line = json.loads(text, parse_constant=_reject_constant)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict) or line.keys() - RECORD_KEYS:
            yield f"{where} is not a valid record"
            continue
        if (fault := record_error(line)) is not None:
            yield f"{where}: {fault}"
            continue
        if text in seen:
            yield f"{where} repeats line {seen[text]}"
        elif line["status"] == "ok" and (finished := (line["id"], line["invocation"])) in seen:
            yield f"{where}: trial {line['id']} already finished in line {seen[finished]}, in the same invocation"
        seen |= {text: number} | ({(line["id"], line["invocation"]): number} if line["status"] == "ok" else {})
        canonical = {name: line[name] for name in ("trial", "version", "settings")}
        identity = hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()[:12]
        if identity != line["id"]:
            yield f"{where}: id is {line['id']}, computed from the settings {identity}"
        if _protocol(line, myth) not in (None, line["protocol"]):
            yield f"{where}: protocol is {line['protocol']}, computed from the settings {_protocol(line, myth)}"
        origin = invocations.get(line["invocation"])
        if origin is None:
            yield f"{where}: run.json does not list its invocation"
        elif not origin.get("commit") or origin.get("dirty") is not False:
            yield f"{where}: its invocation did not run from a clean commit"
        if line["status"] == "ok":
            attempts[line["id"]] += 1
            yield from _attempt_errors(line, attempts[line["id"]], origin or {}, where)


def _attempt_errors(line: Mapping[str, Any], expected: int, origin: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield the errors of the number of a success. Further successes must be declared by their invocation."""
    if line.get("attempt", 1) != expected:
        yield f"{where}: attempt is {line.get('attempt', 1)}, expected {expected}, the number of successes of trial {line['id']}"
    elif expected > 1 and line["id"] not in (origin.get("again") or ()):
        yield f"{where}: its invocation did not declare a further attempt at trial {line['id']} (myths run --again)"


def _protocol(line: Mapping[str, Any], myth: Myth) -> str | None:
    """Return the protocol of the settings of a line, or None if this version of the suite does not know the trial."""
    try:
        return decode(line, myth.types_by_name).protocol
    except (KeyError, ValueError, TypeError, UsageError):
        return None


def _reject_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _analysis(run: RunFolder, myth: Myth) -> Analysis | str:
    """Return tables and claims of the lines, or the error as one sentence."""
    try:
        return analyze(myth, run)
    except Exception as error:  # noqa: BLE001 (unexpected rows: any error is a finding)
        return f"{myth.folder}: its tables cannot be computed ({' '.join(str(error).split())[:200]})"


def _table_errors(found: Analysis, run: RunFolder) -> Iterator[str]:
    """Yield how tables and claims of the archive differ from the rebuilt ones."""
    myth = found.myth
    if stale := run.store(myth).stale:
        yield f"{myth.folder}: this version of the suite does not know {len(stale)} trials: {', '.join(sorted(set(stale))[:3])}"
    for name, table in [*found.tables.items(), ("claims", found.claims_table())]:
        file = run.path / myth.folder / f"{name}.csv"
        if file.exists() and not len(table):
            yield f"{myth.folder}/{name}.csv exists, but the table rebuilt from the trials is empty"
        elif len(table) and not file.exists():
            yield f"{myth.folder}/{name}.csv is missing; the table rebuilt from the trials has {len(table)} rows"
        elif file.exists() and (difference := _difference(file, table, TEXT_COLUMNS if name == "claims" else ())):
            yield f"{myth.folder}/{name}.csv differs from the table rebuilt from the trials: {difference}"


def _array_errors(run: RunFolder, myth: Myth, files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the errors of published arrays."""
    last = {record.trial.id: record for record in run.store(myth).records if record.status == "ok"}
    for name in sorted(name for name in files if name.startswith(f"{myth.folder}/arrays/")):
        if said := published_arrays.error(files[name], last.get(name.rpartition("/")[2].removesuffix(".npz"))):
            yield f"{name} {said}"


def _figure_errors(found: Analysis, files: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
    """Return how figures differ from the rebuilt ones, and which this machine cannot compare."""
    import matplotlib

    myth = found.myth
    wrong = [f"{name} is not a plain figure: {reason}" for name, content in files.items() if (reason := _unsafe_svg_reason(content))]
    if wrong:
        return wrong, []
    try:
        drawn = {f"{myth.folder}/figures/{name}.svg": svg for name, svg in render_figures(found).items()}
    except Exception as error:  # noqa: BLE001 (as above)
        return [f"{myth.folder}: its figures cannot be rendered ({' '.join(str(error).split())[:200]})"], []
    wrong += [f"{name} is missing, but can be rendered from the trials" for name in sorted(drawn.keys() - files.keys())]
    wrong += [f"{name} exists, but cannot be rendered from the trials" for name in sorted(files.keys() - drawn.keys())]
    for name in sorted(drawn.keys() & files.keys()):
        there, ours = (_VERSION.search(text) for text in (files[name].decode(errors="replace"), drawn[name]))
        if _same_drawing(files[name].decode(errors="replace"), drawn[name]):
            continue
        if there is None or ours is None or there[1] == ours[1]:
            wrong.append(f"{name} differs from the figure rendered from the trials")
        else:
            return wrong, [f"{myth.folder}/figures: rendered by matplotlib {there[1]}; this machine has {matplotlib.__version__}"]
    return wrong, []


def _unsafe_svg_reason(content: bytes) -> str | None:
    """Return why an SVG may do more than show lines, text and pixels, or None."""
    from xml.etree import ElementTree

    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        return "it has a document type"
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        return "it is not XML"
    for element in root.iter():
        tag = str(element.tag).rpartition("}")[2]
        if tag not in _DRAWN:
            return f"it contains <{tag[:40]}>"
        for text in (element.text or "" if tag == "style" else "", *element.attrib.values()):
            if re.search(r"@import|url\((?!#)|javascript:", text, flags=re.IGNORECASE):
                return f"it refers to {text[:40]!r}"
        for name, value in element.attrib.items():
            name = name.rpartition("}")[2]
            if name.lower().startswith("on"):
                return f"it contains {name[:40]}="
            if name == "href" and not value.startswith(("#", "data:image/png;")):
                return f"it refers to {value[:40]!r}"
    return None


_DRAWN = {
    "svg", "title", "defs", "style", "g", "path", "use", "clipPath", "rect", "image", "line", "circle", "text", "tspan", "polygon",
    "marker", "linearGradient", "stop", "pattern",
}  # fmt: skip
"""Elements that matplotlib writes."""
_VERSION = re.compile(r'data-matplotlib="([\w.+-]{1,40})"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_ID = re.compile(r"\bf[0-9a-f]{8}-\w+")


def _same_drawing(one: str, other: str) -> bool:
    """Return whether two SVGs show the same. Ids are ignored, and numbers may differ by a thousandth of a point."""
    first, second = (_ID.sub("id", text) for text in (one, other))
    if first == second:
        return True
    if _NUMBER.sub("0", first) != _NUMBER.sub("0", second):
        return False
    pairs = zip(_NUMBER.findall(first), _NUMBER.findall(second), strict=True)
    return all(a == b or math.isclose(float(a), float(b), rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-3) for a, b in pairs)


def _difference(file: Path, table: pd.DataFrame, but: Collection[str] = ()) -> str | None:
    """Return how a CSV file differs from a table by more than rounding, or None.

    Args:
        file: The CSV file.
        table: The table.
        but: Columns to ignore.
    """
    import pandas as pd

    try:
        there, rebuilt = (pd.read_csv(source, dtype=str, keep_default_na=False) for source in (file, io.StringIO(as_csv(table))))
    except ValueError as error:
        return f"it is not a table ({error})"
    if list(there.columns) != list(rebuilt.columns) or len(there) != len(rebuilt):
        return f"{len(there)} rows of {len(there.columns)} columns, rebuilt {len(rebuilt)} of {len(rebuilt.columns)}"
    for column in (column for column in there if column not in but):
        for row, (one, other) in enumerate(zip(there[column], rebuilt[column], strict=True), start=1):
            if one != other and not _close(one, other):
                return f"row {row}, {column}: {one[:60]!r}, rebuilt {other[:60]!r}"
    return None


def _close(one: str, other: str) -> bool:
    try:
        return math.isclose(float(one), float(other), rel_tol=RELATIVE_TOLERANCE, abs_tol=RELATIVE_TOLERANCE**2)
    except ValueError:
        return False
