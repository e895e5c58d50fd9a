"""Publishing: a run made from a clean commit, copied to where it is committed."""

from __future__ import annotations

import getpass
import json
import logging
import platform
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from myths.lab.analysis import analyze, write
from myths.lab.counting import counted
from myths.lab.errors import CannotStart
from myths.lab.home import home
from myths.lab.myth import Myth
from myths.lab.storage import provenance, published_arrays
from myths.lab.storage.run_folder import RunFolder, write_atomically

log = logging.getLogger(__name__)

_PRIVATE_KEYS = {"user", "username", "host", "hostname", "node", "cwd", "home", "path"}
_COMMON_NAMES = {"root", "user", "admin", "ubuntu", "debian", "runner", "docker", "localhost", "linux", "home", "work", "main"}
"""Common names of users and machines that identify nobody."""
_PATH = re.compile(r"""(?:^|[\s"'=(,:;\[])(?:/(?:[\w.@+~-]+/)+[\w.@+~-]*|~[\w-]*/|\\\\\w|[A-Za-z]:\\)|file://|^/\S+$""")
_OF_TORCH = re.compile(r"(?<![\w.-])/pytorch/(?:aten|c10|torch)/[\w./+-]+")
"""Source paths that the assertions of torch wheels print; they are the same on every machine."""
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[A-Za-z]{2,}")


def publish(run: RunFolder, published: Path, myths: Sequence[Myth]) -> Path:
    """Copy the publishable files of a run to ``published/<run>/`` and return that folder.

    These are ``run.json`` and, for each myth with results, its trials, rebuilt tables and figures, and the arrays that
    ``published_arrays`` names; never other arrays, pictures of datasets or logs. If the published run exists, only the myths of this run
    are replaced.

    Args:
        run: The run.
        published: Folder of the published runs.
        myths: Myths of the suite.

    Raises:
        CannotStart: The run has no results, belongs to another machine class than the published run of its name, lacks results that
            were published after it continued that run, has trials made from uncommitted changes or outside a commit, or contains a path
            or the name of a user or host.
    """
    folder = published / run.name
    if folder.resolve() == run.path.resolve():
        raise CannotStart(f"{run.path} is already published. Name a run in results/local")
    having = [myth for myth in myths if run.has_results(myth)]
    stored = {myth.name: _lines(run.path / myth.folder / "trials.jsonl") for myth in having}
    if not any(stored.values()):
        raise CannotStart(f"Run {run.name!r} has no results. Run `myths run --run {run.name}` first")
    metadata = run.metadata()
    _check_clean(run.name, metadata, [line for lines in stored.values() for line in lines])
    _check_private(run.name, metadata, stored)
    for myth in having:
        _check_newer(run, metadata, folder / myth.folder)
    merged = _merged(RunFolder(folder), metadata, {myth.name for myth in having}, myths)
    for myth in having:
        log.info("tables and figures of %s", myth.name)
        write(analyze(myth, run))
    write_atomically(folder / "run.json", json.dumps(merged, indent=1, ensure_ascii=False) + "\n")
    for myth in having:
        _replace(run, myth, stored[myth.name], folder)
    return folder


# --- what may not be published ---------------------------------------------------------------------


def unpublishable_reason(run: RunFolder) -> str | None:
    """Return why results that a run measures now could not be published, or None.

    The reason is printed when a run starts, because at its end it is too late. Earlier results of the run are checked as well.

    Args:
        run: The run.
    """
    made = provenance.commit()
    if made["commit"] is None:
        return "the suite does not run from a git checkout"
    if made["dirty"]:
        changed = provenance.changes()
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return f"uncommitted changes in {', '.join(changed[:3])}{more}"
    try:
        invocations = run.metadata()["invocations"]
    except CannotStart:
        return None  # the run reports the error when it starts
    unclean = {i["id"] for i in invocations if not i.get("commit") or i.get("dirty") is not False}
    files = run.path.glob("*/trials.jsonl") if unclean else ()
    if any(line.get("invocation") in unclean for file in files for line in _lines(file)):
        return f"run {run.name!r} has trials made from uncommitted changes. Use a different --run"
    return None


def _check_clean(run: str, metadata: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> None:
    known = {invocation.get("id"): invocation for invocation in metadata["invocations"]}
    for identity in dict.fromkeys(line.get("invocation") for line in lines):
        invocation = known.get(identity)
        if invocation is None:
            raise CannotStart(f"Run {run!r} has trials of invocation {identity}, which run.json does not list. Restore run.json")
        if not invocation.get("commit"):
            raise CannotStart(f"Run {run!r} has trials made outside a git checkout. Re-run them from a commit with a different --run")
        if invocation.get("dirty") is not False:
            raise CannotStart(
                f"Run {run!r} has trials made from uncommitted changes (invocation {identity}). "
                "Commit the changes and re-run the trials with a different --run"
            )


def _check_newer(run: RunFolder, metadata: Mapping[str, Any], published: Path) -> None:
    """Raise CannotStart if a run that continues a published one lacks results that were added to this one meanwhile."""
    known = {invocation["id"] for invocation in metadata["invocations"]}
    file = published / "trials.jsonl"
    made = [line.get("invocation") for line in (_lines(file) if file.exists() else ()) if line.get("status") == "ok"]
    newer = [invocation for invocation in made if invocation not in known]
    if newer and len(newer) < len(made):
        raise CannotStart(
            f"{published} has {counted(len(newer), 'result')} that {run.path / published.name} lacks: it was published again after run "
            f"{run.name!r} continued it. Merge the two with `myths merge`, or delete {run.path / published.name} if it has nothing new"
        )


def _check_private(run: str, metadata: Mapping[str, Any], stored: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    for where, found in _strings(metadata, "run.json"):
        if reason := _private_content(where.rpartition(".")[2], found):
            raise CannotStart(f"Run {run!r} cannot be published: {where} contains {reason} ({found[:80]!r}). Remove it from run.json")
    for myth, lines in stored.items():
        for number, line in enumerate(lines, start=1):
            for where, found in _strings({"rows": line.get("rows"), "error": line.get("error")}, f"{myth} trial {line.get('id')}"):
                if reason := _private_content("", found):
                    raise CannotStart(
                        f"Run {run!r} cannot be published: {where} (line {number} of its trials.jsonl) contains {reason} "
                        f"({found[:80]!r}). Re-run the trial or delete the line"
                    )


def _private_content(key: str, text: str) -> str | None:
    """Return what is private in a text, or None."""
    if key.lower() in _PRIVATE_KEYS:
        return "a key that identifies the machine"
    if _PATH.search(_OF_TORCH.sub("", text)):
        return "a path"
    if _ADDRESS.search(text):
        return "an email address"
    if set(re.findall(r"[\w.-]+", text.lower())) & _own_names():
        return "the name of a user or a machine"
    return None


def _own_names() -> set[str]:
    """Return the names of this user and this machine, without common names."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = ""
    host = platform.node()
    names = {user, home().name, host, host.partition(".")[0]}
    return {name.lower() for name in names if len(name) > 2} - _COMMON_NAMES


def _strings(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield every text in nested JSON, keys included, with its place."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"{where} key", str(key)
            yield from _strings(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, where)


# --- copying -----------------------------------------------------------------------------------------


def _lines(file: Path) -> list[dict[str, Any]]:
    """Return the stored lines, without failures of trials that succeeded later and without a truncated line."""
    lines = []
    for text in file.read_text(encoding="utf-8").split("\n"):  # splitlines would also cut at separators within a text
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    done = {line.get("id") for line in lines if line.get("status") == "ok"}
    return [line for line in lines if line.get("status") == "ok" or line.get("id") not in done]


def _merged(there: RunFolder, metadata: Mapping[str, Any], having: set[str], myths: Sequence[Myth]) -> dict[str, Any]:
    """Return the merged ``run.json``: published invocations of myths that are not replaced, and all invocations of this run."""
    old = there.metadata()
    if old["machine_class"] not in (None, metadata["machine_class"]):
        raise CannotStart(
            f"The published run {there.name!r} holds results of machine class {old['machine_class']!r}, but this run holds results of "
            f"{metadata['machine_class']!r}. Publish it under another name"
        )
    staying = {
        folder.name: {line.get("invocation") for line in _lines(folder / "trials.jsonl")}
        for folder in (path.parent for path in sorted(there.path.glob("*/trials.jsonl")))
        if folder.name not in {myth.folder for myth in myths if myth.name in having}
    }
    made = set().union(*staying.values())
    ours = {invocation["id"] for invocation in metadata["invocations"]}
    kept = [i for i in old["invocations"] if i["id"] in made and i["id"] not in ours]
    data = {**(old["data"] if staying else {}), **metadata["data"]}
    return {
        **metadata,
        "data": data,
        "invocations": sorted([*kept, *metadata["invocations"]], key=lambda i: (i.get("started", ""), i["id"])),
    }


def _replace(run: RunFolder, myth: Myth, lines: Iterable[Mapping[str, Any]], folder: Path) -> None:
    """Replace the published results of a myth. The new results are complete before the old ones are deleted."""
    source, target, partial = run.path / myth.folder, folder / myth.folder, folder / f".{myth.folder}.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "figures").mkdir(parents=True)
        (partial / "trials.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        for name in (*myth.tables, "claims"):
            if (source / f"{name}.csv").exists():
                shutil.copyfile(source / f"{name}.csv", partial / f"{name}.csv")
        for name in myth.figures:
            if (source / "figures" / f"{name}.svg").exists():
                shutil.copyfile(source / "figures" / f"{name}.svg", partial / "figures" / f"{name}.svg")
        published_arrays.write(run, myth, partial)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise CannotStart(f"Cannot write {target}: {error.strerror or error}. Free disk space, then publish again") from error
