"""Run one trial with any settings, and its dependencies, without storing them."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import tempfile
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from myths.lab import pictures
from myths.lab.data import prepared
from myths.lab.errors import CannotStart, MythsError, UsageError
from myths.lab.execution import runner
from myths.lab.myth import Myth
from myths.lab.setting import Meaning, meanings
from myths.lab.storage.store import Results, Store, TrialRecord
from myths.lab.trial import Trial, describe_type, from_settings

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TryResult:
    """The result of a trial that is not stored.

    Attributes:
        rows: Rows of the trial.
        pictures: Picture files that were written.
    """

    rows: list[dict[str, Any]]
    pictures: tuple[Path, ...] = ()


class _Tables(dict[str, "pd.DataFrame"]):
    """The tables of a myth, each computed on first access."""

    def __init__(self, myth: Myth, results: Results) -> None:
        super().__init__()
        self.myth, self.results = myth, results

    def __missing__(self, name: str) -> pd.DataFrame:
        self[name] = table = self.myth.tables[name](self.results)
        return table


def run(myth: Myth, name: str, settings: Sequence[str], device: str, folder: Path) -> TryResult:
    """Run one trial without storing it.

    Args:
        myth: The myth.
        name: Class of the trial; case and dashes are ignored.
        settings: Settings of the form ``key=value``.
        device: Device as the user names it.
        folder: Output folder of pictures.

    Returns:
        Rows and pictures of the trial.

    Raises:
        UsageError: The trial or a setting does not exist.
        CannotStart: The trial cannot run on this machine.
        MythsError: The trial fails.
    """
    trial = parse_settings(_trial_class(myth, name), settings)
    with tempfile.TemporaryDirectory() as forgotten:
        store = Store(Path(forgotten), myth.types_by_name)
        plan = runner.plan([trial], store, prepared.sha256_of)
        if plan.skipped:
            raise CannotStart(plan.skipped[-1][1])
        for data in plan.data:
            prepared.require(data)
        from myths.lab.measurement import device as devices  # imports torch, which takes seconds: only after the settings are checked

        progress = runner.run(plan, store, runner.Invocation(devices.select_device(device), prepared.sha256_of, "try"), report=_tell)
        if progress.failed:
            failed, error = progress.failed[0]
            raise MythsError(f"{failed}: {error}")
        record = store.finished(trial)
        drawn = pictures.draw(myth, _Tables(myth, Results(store.records)), store, folder, f"{myth.name}-{{}}-{trial.id}")
        return TryResult(record.rows if record else [], tuple(drawn))


def _tell(trial: Trial, record: TrialRecord | None) -> None:
    if record is None:
        log.info("%s", trial)


def parse_settings(kind: type[Trial], words: Sequence[str]) -> Trial:
    """Return a trial from texts ``key=value``; ``key.key=value`` sets a field of a nested trial.

    A field that accepts several trial classes takes the class first: ``model=TrainClassifier model.network=resnet20``.

    Args:
        kind: Trial class.
        words: Settings of the form ``key=value``.

    Raises:
        UsageError: A setting is invalid.
    """
    own: dict[str, Any] = {}
    inner: dict[str, list[str]] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"Invalid setting {word!r}: expected KEY=VALUE")
        name, dot, rest = key.partition(".")
        if dot:
            inner.setdefault(name, []).append(f"{rest}={value}")
        else:
            own[name] = value
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        classes = _trial_classes(hints[field.name])
        if classes and (field.name in own or field.name in inner):
            chosen = own.get(field.name, next(iter(classes)))
            if chosen not in classes:
                raise UsageError(f"Invalid {field.name}={chosen}: expected one of {', '.join(classes)}")
            made = parse_settings(classes[chosen], inner.pop(field.name, []))
            own[field.name] = (made,) if typing.get_origin(hints[field.name]) is tuple else made
    if inner:
        raise UsageError(f"{kind.__name__}: {next(iter(inner))} is not a trial, so it has no settings")
    return from_settings(kind, own)


def list_trials(myth: Myth) -> list[dict[str, str]]:
    """Return the trial classes of a myth, each with the first paragraph of its docstring."""
    return [{"trial": kind.__name__, "measures": _first_sentence(kind)} for kind in myth.trial_types]


def describe_settings(myth: Myth, name: str) -> tuple[str, list[dict[str, str]]]:
    """Return what a trial measures, and name, valid values, default and meaning of each setting.

    Args:
        myth: The myth.
        name: Class of the trial.

    Raises:
        UsageError: The myth has no such trial.
    """
    kind = _trial_class(myth, name)
    hints, meant = typing.get_type_hints(kind, include_extras=True), meanings(kind)
    lines = []
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        shared = [part.text for part in getattr(hint, "__metadata__", ()) if isinstance(part, Meaning)]
        lines.append({
            "setting": field.name,
            "value": _of_trial(field.name, hint) or describe_type(hint),
            "default": "required" if field.default is dataclasses.MISSING else _written(field.default),
            "meaning": meant.get(field.name) or "".join(shared),
        })  # fmt: skip
    return _first_sentence(kind), lines


def _trial_class(myth: Myth, name: str) -> type[Trial]:
    kinds = {known.lower(): kind for known, kind in myth.types_by_name.items()}
    if (kind := kinds.get(name.lower().replace("-", ""))) is None:
        raise UsageError(f"{myth.name} has no trial {name!r}. Available: {', '.join(myth.types_by_name)}")
    return kind


def _of_trial(name: str, hint: Any) -> str:
    if not (classes := _trial_classes(hint)):
        return ""
    return f"a trial: {name}={' or '.join(classes)}; set its fields with {name}.KEY=VALUE"


def _written(default: Any) -> str:
    """Return a default as the user would type it."""
    if isinstance(default, tuple):
        return ",".join(map(str, default)) or "none"
    return str(default).lower() if isinstance(default, bool) else f"{default:g}" if isinstance(default, float) else str(default)


def _first_sentence(kind: type[Trial]) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())


def _trial_classes(hint: Any) -> dict[str, type[Trial]]:
    """Return the trial classes in a type, at any depth."""
    if isinstance(hint, type) and issubclass(hint, Trial):
        return {hint.__name__: hint}
    return {name: kind for argument in typing.get_args(hint) for name, kind in _trial_classes(argument).items()}
