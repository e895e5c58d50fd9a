"""Download and list datasets."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from myths.lab.data import prepared
from myths.lab.data.built_in import BUILT_IN
from myths.lab.data.catalog import CATALOG, Dataset, RemoteFile
from myths.lab.data.formats import BadFormat
from myths.lab.data.prepared import PreparedDataset
from myths.lab.data.user_data import add
from myths.lab.errors import CannotStart, UsageError

__all__ = ["DownloadLimits", "add", "get", "list_datasets"]


@dataclass(frozen=True)
class DownloadLimits:
    """Timeouts and minimum speed of downloads. The minimum speed does not apply to the last mirror."""

    timeout: float = 30.0
    """Maximum number of seconds without data."""
    attempts: int = 2
    """Attempts per mirror. Permanent errors such as "404 Not Found" are not retried."""
    min_bytes_per_second: float = 150_000.0
    """Minimum average speed; below it the next mirror is tried."""
    grace_seconds: float = 20.0
    """Seconds before the speed is checked."""


def get(name: str, root: Path | None = None, progress: bool = False, limits: DownloadLimits | None = None) -> PreparedDataset:
    """Download and prepare a dataset of the catalog.

    Files are kept in ``<root>/downloads/<name>/`` and reused. Mirrors are tried in order until one returns a file with the correct
    checksum; no file is opened before. An official prepared dataset is not downloaded again. A modified one is renamed to
    ``<name>_<start of its hash>`` and remains usable under that name; a corrupt one is renamed to ``….corrupt``.

    Args:
        name: Name of the dataset.
        root: Folder of the prepared dataset. Default: the first of ``prepared.roots()``.
        progress: Whether to show a progress bar.
        limits: Timeouts and minimum speed.

    Returns:
        The prepared dataset.

    Raises:
        UsageError: The catalog has no such dataset.
        CannotStart: No mirror returned the file, the content is not the official one, or the disk is full.
    """
    if name in BUILT_IN:
        return prepared.require(name)
    if (entry := CATALOG.get(name)) is None:
        raise UsageError(f"Unknown dataset {name!r}. Available: {', '.join(CATALOG)}. `myths data add {name} PATH` adds your own")
    for place in (root,) if root else prepared.roots():
        here = _verified_in(name, place)
        if here and prepared.state_of(here) == "present":
            return here
    root = root or prepared.roots()[0]
    if entry.prepare is None:
        prepared.require(name)
        raise CannotStart(
            f"The local copy of {name} differs from the official dataset, and there is no download: {entry.note}, and put them into {root}"
        )
    folder = root / "downloads" / name
    paths = _download(entry, folder, limits or DownloadLimits(), progress)
    archives = {file: _sha256(path) for file, path in paths.items()}
    try:
        arrays = entry.prepare(paths)
    except BadFormat as error:
        raise CannotStart(f"{name} cannot be prepared: {error}; move {folder} away and try again") from error
    found = prepared.content_sha256(arrays)
    if entry.content and found != entry.content and any(f.checksum is None for f in entry.files):
        raise CannotStart(
            f"The downloaded {name} is not the official content (SHA-256 {found}, expected {entry.content}): "
            f"move {folder} away and try again"
        )
    _set_aside(name, root, found)
    return prepared.save(name, arrays, source=", ".join(entry.mirrors), note=entry.note, archives=archives, root=root)


def list_datasets() -> list[dict[str, Any]]:
    """Return one row per dataset: catalog, built-in and user datasets. Hashes are read from the sidecars, not recomputed.

    Returns:
        Rows with the keys name, title, kind, state (present, modified, not downloaded, built-in or corrupt), bytes (on this machine),
        download_bytes, license, note, and get (the command that downloads it, or None).
    """
    rows = [_row(entry.name, entry.title, entry.license, entry) for entry in CATALOG.values()]
    rows += [_row(name, (BUILT_IN[name].__doc__ or "").split("\n")[0], "BSD-3-Clause" if name == "digits" else "MIT") for name in BUILT_IN]
    texts = {found.name for found in prepared.all_prepared() if found.kind == "texts"}
    own = {
        found.name: found.source for found in prepared.all_prepared() if found.name.partition(".")[0] not in texts or found.name in texts
    }
    others = {**dict.fromkeys(dict(prepared.unusable()), ""), **own}
    return rows + [_row(name, others[name], "") for name in sorted(others) if name not in CATALOG and name not in BUILT_IN]


def _row(name: str, title: str, license: str, entry: Dataset | None = None) -> dict[str, Any]:
    note = entry.note if entry else ""
    state, size, kind = "not downloaded", 0, "arrays"
    try:
        if here := prepared.find(name):
            state = "built-in" if here.kind == "built-in" else prepared.state_of(here)
            note, size, kind = here.note, here.bytes, here.kind
    except CannotStart as error:
        state, note = "corrupt", str(error)
    command = f"myths data get {name}" if entry and entry.files else None
    return {
        "name": name,
        "title": title,
        "kind": kind,
        "state": state,
        "bytes": size,
        "download_bytes": entry.download_bytes if entry else 0,
        "license": license,
        "note": note,
        "get": command,
    }


# --- download -------------------------------------------------------------------------------------


class _TooSlow(Exception):
    """The mirror is slower than the limit and another one is left."""


@dataclass
class _DownloadMonitor:
    """Progress callback for pooch that shows the bytes and aborts downloads from slow mirrors."""

    show: Callable[[int, int], None]
    min_bytes_per_second: float
    grace_seconds: float
    total: int = 0
    done: int = 0
    start: float = field(default_factory=time.monotonic)

    def update(self, n: int) -> None:
        self.done += n
        self.show(self.done, self.total)
        if (elapsed := time.monotonic() - self.start) > self.grace_seconds and self.done < self.min_bytes_per_second * elapsed:
            raise _TooSlow(f"too slow ({self.done / elapsed / 1000:.0f} kB/s)")

    def reset(self) -> None:
        """Restart the clock. Pooch resets and updates to the total at the end, which must not count as slow."""
        self.done, self.start = 0, time.monotonic()

    def close(self) -> None: ...


def _download(entry: Dataset, folder: Path, limits: DownloadLimits, progress: bool) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    answers: list[str] = []
    failed: set[str] = set()
    with _progress_bar(progress and sys.stderr.isatty(), entry) as show, _quiet_pooch():
        for file in entry.files:
            path, said = _from_mirrors(file, folder, limits, show, failed)
            if path is None:
                answers = said
                break
            paths[file.file] = path
            show.finished(file)
    if answers:
        lines = "".join(f"\n  {answer}" for answer in answers)
        raise CannotStart(
            f"No mirror returned {file.file} of {entry.name}:{lines}\nTry again later, or copy the published files into {folder} "
            f"and run `myths data get {entry.name}` again"
        )
    return paths


def _from_mirrors(
    file: RemoteFile, folder: Path, limits: DownloadLimits, show: _ProgressBar, failed: set[str]
) -> tuple[Path | None, list[str]]:
    """Return the verified file, or None and the error of each mirror. Hosts that failed before are tried last."""
    import pooch
    import requests

    answers = []
    urls = sorted(file.urls, key=lambda url: url.split("/")[2] in failed)
    for url in urls:
        is_last = url == urls[-1]

        def download(url: str, output_file: str, manager: Any, is_last: bool = is_last) -> None:
            bar = _DownloadMonitor(show, 0.0 if is_last else limits.min_bytes_per_second, limits.grace_seconds)
            pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 14, timeout=limits.timeout)(url, output_file, manager)
            _reject_html(Path(output_file))

        for attempt in range(limits.attempts):
            try:
                return Path(pooch.retrieve(url, file.checksum, fname=file.file, path=folder, downloader=download)), []
            except (requests.RequestException, ValueError, _TooSlow) as error:
                answer = f"{url}: {_error_text(error)}"
                if attempt + 1 == limits.attempts or not _is_transient(error):
                    break
                time.sleep(min(attempt + 1, limits.timeout))
            # Exceptions of requests are OSErrors too and are caught above, so this one comes from the disk.
            except OSError as error:
                raise prepared.unwritable(folder / file.file, error) from error
        answers.append(answer)
        failed.add(url.split("/")[2])
    return None, answers


def _is_transient(error: Exception) -> bool:
    """Return whether a retry at the same mirror may succeed."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code >= 500
    return isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError)


def _reject_html(path: Path) -> None:
    """Raise ValueError for a login or error page with status 200. Files without a checksum have no other check before parsing."""
    with path.open("rb") as stream:
        start = stream.read(512).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ValueError("the mirror returned a web page instead of the file")


def _error_text(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "timed out"
    if isinstance(error, requests.ConnectionError):
        return "connection failed or interrupted"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "download incomplete"
    if "does not match the known hash" in str(error):
        expected, got = str(error).split("expected ")[1].split(" but got ")
        return f"wrong content: expected {expected}, got {got.split('.')[0]}"
    return str(error)


@dataclass
class _ProgressBar:
    """Progress over all files of a dataset, on a bar if there is one."""

    progress: Any = None
    task: Any = None
    before: int = 0

    def __call__(self, done: int, total: int) -> None:
        if self.progress:
            self.progress.update(self.task, completed=self.before + min(done, total or done))

    def finished(self, file: RemoteFile) -> None:
        self.before += file.bytes
        self(0, 0)


@contextlib.contextmanager
def _progress_bar(wanted: bool, entry: Dataset) -> Iterator[_ProgressBar]:
    if not wanted:
        yield _ProgressBar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield _ProgressBar(progress, progress.add_task(entry.name, total=entry.download_bytes))


@contextlib.contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Silence the log of pooch."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


# --- datasets on this machine -------------------------------------------------------------------------


def _verified_in(name: str, root: Path) -> PreparedDataset | None:
    with contextlib.suppress(CannotStart):
        here = prepared.find_in(name, root)
        if here and prepared.compute_sha256(here) == here.sha256:
            return here
    return None


def _set_aside(name: str, root: Path, found: str) -> None:
    """Rename a prepared dataset with other content than ``found``, so that it is not overwritten."""
    path = root / f"{name}.npz"
    if not path.exists():
        return
    here = _verified_in(name, root)
    if here and here.sha256 == found:
        return
    new = f"{name}_{here.sha256[:8]}{{}}" if here else f"{name}{{}}.{time.strftime('%Y%m%d-%H%M%S')}.corrupt"
    for old in (path, path.with_suffix(".json")):
        try:
            if old.exists():
                old.rename(old.with_name(new.format(old.suffix)))
        except OSError as error:
            raise prepared.unwritable(old, error) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
