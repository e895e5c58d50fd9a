"""Arrays that are published with a run, so that it can be continued elsewhere: small arrays that other trials read.

``Trial.published_arrays`` names them. ``arrays/<id>.npz`` of a published run holds these arrays alone, compressed. Their hashes are in the
line of the trial.
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
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import Store, TrialRecord, array_sha256
from myths.lab.trial import dependencies_first

log = logging.getLogger(__name__)

MAX_BYTES = 2 * 2**20
"""Maximum size of the compressed file of one trial."""
MAX_UNPACKED_BYTES = 64 * 2**20
"""Maximum size of the uncompressed arrays of one trial. Larger files are not read."""


def names(record: TrialRecord) -> list[str]:
    """Return the names of the arrays of a record that are published."""
    patterns = type(record.trial).published_arrays
    return [name for name in record.arrays if any(fnmatchcase(name, pattern) for pattern in patterns)]


def write(run: RunFolder, myth: Myth, folder: Path) -> None:
    """Write the published arrays of a run into ``folder/arrays``.

    These are arrays of trials that another trial of the run, or of the profiles of the run, depends on. Arrays that are missing on disk or
    exceed ``MAX_BYTES`` are left out; they are recomputed when the run is continued.

    Args:
        run: Run that has the arrays.
        myth: The myth.
        folder: Folder of the myth in the published run.
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
    """Return why a file of published arrays is invalid, or None.

    Args:
        content: Content of the file.
        record: Last successful record of the trial.
    """
    if record is None:
        return "belongs to no finished trial"
    if len(content) > MAX_BYTES:
        return f"has {len(content)} bytes: expected at most {MAX_BYTES}"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            if sum(member.file_size for member in members.infolist()) > MAX_UNPACKED_BYTES:
                return f"has more than {MAX_UNPACKED_BYTES} bytes when unpacked"
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
    """Return the ids of the trials that trials of the run, or of the profiles of the run, depend on."""
    trials = [record.trial for record in store.records]
    for arguments in (invocation["arguments"] for invocation in run.metadata()["invocations"]):
        if myth.name in arguments.get("myths", []) and arguments.get("profile") in PROFILES:
            with contextlib.suppress(MythsError):  # user data that are no longer available
                trials += myth.trials(arguments["profile"], arguments.get("seeds"), tuple(arguments.get("data", ())))
    return {dependency.id for trial in dependencies_first(trials) for dependency in trial.dependencies}


def _compressed(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
