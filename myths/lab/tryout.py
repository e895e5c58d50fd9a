"""One trial with any settings, run with what it depends on and forgotten."""

from __future__ import annotations

import dataclasses
import tempfile
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from myths.lab import runner
from myths.lab.data import prepared
from myths.lab.errors import CannotStart, MythsError, UsageError
from myths.lab.myth import Myth
from myths.lab.store import Store
from myths.lab.trial import Trial, build


def rows(myth: Myth, name: str, settings: Sequence[str], device: str) -> list[dict[str, Any]]:
    """The rows of one trial made from ``key=value`` words; its name in capitals or not, with dashes or without.

    Raises UsageError for an unknown trial or setting, CannotStart when it cannot run here, MythsError when it fails.
    """
    name = {known.lower(): known for known in myth.types_by_name}.get(name.lower().replace("-", ""), name)
    if name not in myth.types_by_name:
        raise UsageError(f"{myth.name} has no trial {name!r}; it has: {', '.join(myth.types_by_name)}")
    trial = from_words(myth.types_by_name[name], settings)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), myth.types_by_name)
        plan = runner.plan([trial], store, prepared.sha256_of)
        if plan.absent:
            raise CannotStart(plan.absent[-1][1])
        for data in plan.data:
            prepared.require(data)
        progress = runner.run(plan, store, device=device, hashes=prepared.sha256_of, invocation="try")
        if progress.failed:
            failed, error = progress.failed[0]
            raise MythsError(f"{failed}: {error}")
        record = store.finished(trial)
        return record.rows if record else []


def from_words(kind: type[Trial], words: Sequence[str]) -> Trial:
    """A trial from ``key=value`` words; ``key.key=value`` are settings of the trial that a field holds.

    A field that may hold trials of several classes takes the class first: ``model=TrainClassifier model.network=resnet20``.
    Raises UsageError that names the word that is wrong.
    """
    own: dict[str, Any] = {}
    inner: dict[str, list[str]] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is not KEY=VALUE")
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
                raise UsageError(f"{field.name}={chosen}: {field.name} is one of {', '.join(classes)}")
            made = from_words(classes[chosen], inner.pop(field.name, []))
            own[field.name] = (made,) if typing.get_origin(hints[field.name]) is tuple else made
    if inner:
        raise UsageError(f"{kind.__name__}: {next(iter(inner))} holds no trial that has settings")
    return build(kind, own)


def _trial_classes(hint: Any) -> dict[str, type[Trial]]:
    found = [h for h in (hint, *typing.get_args(hint)) if isinstance(h, type) and issubclass(h, Trial)]
    for argument in typing.get_args(hint):
        found += [h for h in typing.get_args(argument) if isinstance(h, type) and issubclass(h, Trial)]
    return {h.__name__: h for h in found}
