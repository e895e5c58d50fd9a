"""Arrays that are published with a run, so that it can be continued elsewhere: what other trials read of a trial, if it is small.

A trial class names them (``Trial.published_arrays``). ``arrays/<id>.npz`` of a published run holds these arrays alone, compressed. Their
hashes are those of the trial's line.
"""

from __future__ import annotations

import contextlib
import io
import logging
import zipfile
import zlib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from myths.lab.errors import MythsError
from myths.lab.myth import PROFILES, Myth
from myths.lab.run_folder import RunFolder
from myths.lab.store import Store, TrialRecord, array_sha256
from myths.lab.trial import dependencies_first

log = logging.getLogger(__name__)

MAX_BYTES = 2 * 2**20
"""Of the compressed file of one trial."""
MAX_UNPACKED_BYTES = 64 * 2**20
"""Of its arrays; a file that claims more is not read."""


def names(record: TrialRecord) -> list[str]:
    """Return the names of the arrays of a record that are published."""
    patterns = type(record.trial).published_arrays
    return [name for name in record.arrays if any(fnmatchcase(name, pattern) for pattern in patterns)]


def write(run: RunFolder, myth: Myth, folder: Path) -> None:
    """Write the arrays of a run that are published into ``folder/arrays``.

    These are the arrays of the trials that another trial of the run, or of the profiles that it was made with, depends on. Arrays that
    are gone, or larger than ``MAX_BYTES``, are left out: those who continue the run compute them again.

    Args:
        run: The run that holds the arrays.
        myth: The myth.
        folder: The folder of the myth in the published run.
    """
    store = run.store(myth)
    wanted = _dependencies(run, myth, store)
    for identity in sorted(wanted):
        record = next((r for r in reversed(store.records) if r.trial.id == identity and r.status == "ok"), None)
        if record is None or not (published := names(record)) or not store.has_arrays(record):
            continue
        arrays = store.outcome(record).arrays
        try:
            content = _compressed({name: arrays[name] for name in published})
        except MythsError as error:
            log.warning("%s: not published: %s", record.trial, error)
            continue
        if len(content) > MAX_BYTES:
            log.warning("%s: its arrays are not published: %d bytes, at most %d", record.trial, len(content), MAX_BYTES)
            continue
        (folder / "arrays").mkdir(exist_ok=True)
        (folder / "arrays" / f"{identity}.npz").write_bytes(content)


def error(content: bytes, record: TrialRecord | None) -> str | None:
    """Return what is wrong with the file of published arrays of a trial, None if nothing is.

    Args:
        content: The file.
        record: The last success of the trial.
    """
    if record is None:
        return "belongs to no finished trial"
    if len(content) > MAX_BYTES:
        return f"has {len(content)} bytes; at most {MAX_BYTES} are published of a trial"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            if sum(member.file_size for member in members.infolist()) > MAX_UNPACKED_BYTES:
                return f"claims more than {MAX_UNPACKED_BYTES} bytes when unpacked"
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, KeyError, NotImplementedError, MemoryError, zipfile.BadZipFile, zlib.error):
        return "is not a file of arrays"
    if set(arrays) != (published := set(names(record))):
        held, expected = (", ".join(sorted(each)) or "none" for each in (set(arrays), published))
        return f"holds the arrays {held}; of this trial are published: {expected}"
    if wrong := next((name for name, array in arrays.items() if array_sha256(array) != record.arrays[name]), None):
        return f"holds other {wrong} than its trial stored"
    return None


def _dependencies(run: RunFolder, myth: Myth, store: Store) -> set[str]:
    """The ids of the trials that trials of the run, or of the profiles that it was made with, depend on."""
    trials = [record.trial for record in store.records]
    for arguments in (invocation["arguments"] for invocation in run.metadata()["invocations"]):
        if myth.name in arguments.get("myths", []) and arguments.get("profile") in PROFILES:
            with contextlib.suppress(MythsError):  # user data that are no longer here
                trials += myth.trials(arguments["profile"], arguments.get("seeds"), tuple(arguments.get("data", ())))
    return {dependency.id for trial in dependencies_first(trials) for dependency in trial.dependencies}


def _compressed(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
