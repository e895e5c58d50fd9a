"""A trial is one measurement with all its settings; its outcome is rows and arrays."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np

from myths.lab.errors import UsageError
from myths.lab.setting import Rule

if TYPE_CHECKING:
    import torch

Protocol = Literal["paper", "recomputed", "reduced", "stand-in"]
"""The paper's; computed from the authors' published data; real data with a reduced schedule, size or network; other data."""
PROTOCOLS: tuple[Protocol, ...] = typing.get_args(Protocol)

T = TypeVar("T", bound="Trial")

_hints: Callable[[type], dict[str, Any]] = functools.cache(functools.partial(typing.get_type_hints, include_extras=True))
"""Types of the fields of a class, with their rules. Cached: computing them is the slowest part of decoding a stored trial."""

INTEGER_LIMIT = 2**63
"""Upper bound on integer settings, excluded: torch and pandas hold no larger integer."""


def least_faithful(protocols: Iterable[str]) -> Protocol:
    """Return the protocol that is furthest from the paper's.

    Args:
        protocols: Protocols of the trials that a number is computed from.

    Raises:
        ValueError: There are no protocols, or one is unknown.
    """
    return PROTOCOLS[max(PROTOCOLS.index(typing.cast(Protocol, p)) for p in protocols)]


@dataclass(frozen=True)
class Outcome:
    """The result of a trial: tidy rows (one dict of plain values per row) and, if needed, named arrays."""

    rows: list[dict[str, Any]]
    arrays: Mapping[str, Any] = field(default_factory=dict)
    """Arrays by name. The arrays of a stored trial are read from disk on access."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One measurement. Subclasses are frozen, keyword-only dataclasses; their fields are their identity.

    A field that is a trial, or a tuple of trials, is a dependency: it runs before this trial, once, and ``context.outcome`` returns its
    outcome. A trial that draws random numbers has a field ``seed``.
    """

    version: ClassVar[int] = 1
    """Part of the identity. Raise it when the meaning of a result changes, not when code moves."""
    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset()
    """Columns of the rows that measure time or memory, so that they differ between two executions."""
    exclusive: ClassVar[bool] = False
    """Whether the trial measures time: it has its device (CPU or GPU) to itself."""
    whole_machine: ClassVar[bool] = False
    """Whether an exclusive trial on a GPU needs the other GPUs of the machine idle as well, because it also depends on the CPU."""
    published_arrays: ClassVar[tuple[str, ...]] = ()
    """Arrays to publish with a run because dependents read them: names, or patterns such as "new_*". Never data or weights."""
    rows_only: ClassVar[tuple[str, ...]] = ()
    """Fields with dependencies of which ``run`` reads only the rows, for example training runs that compare learning rates.
    ``context.outcome`` returns their rows without arrays. A finished one is not run again if its arrays are missing."""
    memory_limit_bytes: ClassVar[int | None] = None
    """Memory limit. If it is set, the trial runs in its own process under this limit."""

    def __post_init__(self) -> None:
        """Convert the settings to their annotated types, so that 1 and 1.0, or a list and a tuple, are one setting.

        Raises:
            UsageError: A setting has a wrong type or violates its rule.
        """
        values = self.__dict__
        for name, hint in _field_hints(type(self)):
            if (coerced := coerce(value := values[name], hint, name)) is not value:
                object.__setattr__(self, name, coerced)

    @property
    def protocol(self) -> Protocol:
        """How close the settings are to the paper's. Default: as close as those of the dependencies; "reduced" without dependencies."""
        return least_faithful(trial.protocol for trial in self.dependencies) if self.dependencies else "reduced"

    @property
    def relative_cost(self) -> float:
        """Expected duration relative to other trials of the same class, for time budgets and progress."""
        return 1.0

    @property
    def data(self) -> tuple[str, ...]:
        """Names of the prepared datasets that ``run`` reads. Their hashes are stored with the result."""
        return ()

    @property
    def columns(self) -> Mapping[str, Any]:
        """Columns of tables that depend on the settings alone, by name. Claims select planned trials by them."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)} | {"protocol": self.protocol}

    @classmethod
    def test_instance(cls) -> Trial:
        """Return an instance that runs in under two seconds on procedural or built-in data."""
        raise TypeError(f"{cls.__name__} must define test_instance()")

    def skip_reason(self) -> str | None:
        """Return why this trial cannot run on this machine (for example, a missing package or optional dataset), or None."""
        return None

    def run(self, context: Context) -> Outcome:
        """Measure and return the outcome.

        Args:
            context: Device, random streams, and outcomes of the dependencies.
        """
        raise TypeError(f"{type(self).__name__} must define run()")

    @functools.cached_property
    def id(self) -> str:
        """First 12 hex digits of the SHA-256 of the canonical JSON of class, version and settings."""
        return hashlib.sha256(self._canonical_json.encode()).hexdigest()[:12]

    @functools.cached_property
    def _canonical_json(self) -> str:
        """Canonical JSON, composed of the cached JSON of the dependencies, so that a shared dependency is encoded once."""
        inner = ", ".join(
            f"{_encode(name)}: {_canonical_json(value)}"
            for name, default in _defaults(type(self))
            if (value := getattr(self, name)) != default
        )
        return f'{{"settings": {{{inner}}}, "trial": {_encode(type(self).__name__)}, "version": {_encode(type(self).version)}}}'

    @functools.cached_property
    def dependencies(self) -> tuple[Trial, ...]:
        """Trials in the fields, in field order."""
        return self._trials_in(_dependency_fields(type(self)))

    @property
    def array_dependencies(self) -> tuple[Trial, ...]:
        """Dependencies whose arrays this trial may read: those outside the fields ``rows_only``."""
        return self._trials_in(name for name in _dependency_fields(type(self)) if name not in self.rows_only)

    def _trials_in(self, names: Iterable[str]) -> tuple[Trial, ...]:
        values = (getattr(self, name) for name in names)
        return tuple(v for value in values for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, Trial))

    def __str__(self) -> str:
        """Return the class and the settings that differ from their defaults."""
        words = []
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Trial):
                words.append(str(value))
            elif isinstance(value, tuple) and value and isinstance(value[0], Trial):
                words.append(f"{len(value)} {type(value[0]).__name__}")
            elif _is_required(f) or value != _default(f):
                words.append(f"{f.name}={value}")
        return f"{type(self).__name__}({', '.join(words)})"


@dataclass(frozen=True)
class Context:
    """The environment of a running trial: device, outcomes of its dependencies, random streams.

    Each random stream is derived from the trial's seed and the name of the stream only. Trials with the same seed therefore share
    initialization, data order and augmentation.

    Attributes:
        trial: The running trial.
        device: Device as torch names it.
        outcomes: Returns the outcome of a dependency.
    """

    trial: Trial
    device: str = "cpu"
    outcomes: Callable[[Trial], Outcome] | None = None

    def outcome(self, trial: Trial) -> Outcome:
        """Return the stored outcome of a trial that this trial depends on.

        Raises:
            LookupError: ``trial`` is not a dependency.
        """
        if self.outcomes is None:
            raise LookupError(f"Context(outcomes=None) of {self.trial}: expected outcomes, to look up {trial}")
        return self.outcomes(trial)

    def seed(self, stream: str) -> int:
        """Return the 63-bit seed of a random stream.

        Args:
            stream: Name of the stream: "init", "order", "augment", …

        Raises:
            TypeError: The trial has no field ``seed``.
        """
        seed = getattr(self.trial, "seed", None)
        if seed is None:
            raise TypeError(f"{type(self.trial).__name__} draws random numbers: expected a field 'seed'")
        return int.from_bytes(hashlib.sha256(f"{seed}/{stream}".encode()).digest()[:8], "big") >> 1

    def generator(self, stream: str, device: str = "cpu") -> torch.Generator:
        """Return a torch generator for a random stream: "init", "order", "augment", "removal", …"""
        import torch

        return torch.Generator(device).manual_seed(self.seed(stream))

    def rng(self, stream: str) -> np.random.Generator:
        """Return a NumPy generator for a random stream."""
        return np.random.default_rng(self.seed(stream))

    @contextlib.contextmanager
    def seed_torch(self, stream: str) -> Iterator[None]:
        """Seed torch's global generator in a ``with`` block and restore it afterwards, for code that accepts no generator."""
        import torch

        with torch.random.fork_rng(devices=[] if self.device == "cpu" else [torch.device(self.device)]):
            torch.manual_seed(self.seed(stream))
            yield


def dependencies_first(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials and all their dependencies, each once, dependencies before their dependents."""
    ordered: dict[str, Trial] = {}
    waiting = [(trial, False) for trial in reversed(list(trials))]
    while waiting:
        trial, visited = waiting.pop()
        if trial.id in ordered:
            continue
        if visited or not trial.dependencies:
            ordered[trial.id] = trial
        else:
            waiting.append((trial, True))
            waiting += [(dependency, False) for dependency in reversed(trial.dependencies)]
    return list(ordered.values())


def dependency_types(kind: type[Trial]) -> tuple[type[Trial], ...]:
    """Return the classes of all direct and indirect dependencies of a trial class, as its fields declare them."""
    found: dict[type[Trial], None] = {}
    for name, hint in _hints(kind).items():
        for inner in _trial_types(hint) if name in kind.__dataclass_fields__ else ():
            found |= dict.fromkeys((inner, *(dependency_types(inner) if inner is not kind else ())))
    return tuple(found)


def _trial_types(hint: Any) -> list[type[Trial]]:
    if isinstance(hint, type) and issubclass(hint, Trial):
        return [hint]
    return [found for argument in typing.get_args(hint) for found in _trial_types(argument)]


# --- identity ------------------------------------------------------------------------------------


def canonical(trial: Trial) -> dict[str, Any]:
    """Return the record that the id of a trial is the hash of; ``decode`` turns it into the trial again."""
    return {"trial": type(trial).__name__, "version": type(trial).version, "settings": settings(trial)}


def settings(trial: Trial) -> dict[str, Any]:
    """Return the fields as plain JSON values, without those that have their default."""
    values = ((name, getattr(trial, name), default) for name, default in _defaults(type(trial)))
    return {name: _plain(value) for name, value, default in values if value != default}


def _canonical_json(value: Any) -> str:
    if isinstance(value, Trial):
        return value._canonical_json
    if isinstance(value, tuple):
        return f"[{', '.join(map(_canonical_json, value))}]"
    if type(value) is int:
        return repr(value)
    return _encode(value)


_encode = json.JSONEncoder(sort_keys=True).encode


def _find_field_hints(kind: type) -> tuple[tuple[str, Any], ...]:
    hints = _hints(kind)
    return tuple((f.name, hints[f.name]) for f in dataclasses.fields(kind))


_field_hints: Callable[[type], tuple[tuple[str, Any], ...]] = functools.cache(_find_field_hints)


def _find_required(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if _is_required(f))


_required: Callable[[type], tuple[str, ...]] = functools.cache(_find_required)


def _find_dependency_fields(kind: type) -> tuple[str, ...]:
    return tuple(name for name, hint in _field_hints(kind) if _trial_types(hint))


_dependency_fields: Callable[[type], tuple[str, ...]] = functools.cache(_find_dependency_fields)


def _find_defaults(kind: type) -> tuple[tuple[str, Any], ...]:
    """Return the fields of a class in alphabetical order, each with its default, or with an object that equals nothing."""
    hints = _hints(kind)
    fields = sorted(dataclasses.fields(kind), key=lambda f: f.name)
    return tuple((f.name, object() if _is_required(f) else coerce(_default(f), hints[f.name], f.name)) for f in fields)


_defaults: Callable[[type], tuple[tuple[str, Any], ...]] = functools.cache(_find_defaults)


def decode(record: Mapping[str, Any], types_by_name: Mapping[str, type[Trial]]) -> Trial:
    """Return the trial of a canonical record.

    Args:
        record: A record as ``canonical`` returns it.
        types_by_name: Trial classes by name.

    Raises:
        KeyError: The class is unknown.
        ValueError: The record has another version.
        UsageError: The class does not accept the settings.
    """
    kind = types_by_name[record["trial"]]
    if record["version"] != kind.version:
        raise ValueError(f"{kind.__name__} is at version {kind.version}, the record at {record['version']}")
    return from_settings(kind, {k: _decode(v, types_by_name) for k, v in record["settings"].items()})


def from_settings(kind: type[T], given: Mapping[str, Any]) -> T:
    """Return a trial from settings of any origin, converted to the annotated types.

    Args:
        kind: Trial class.
        given: Settings by name.

    Raises:
        UsageError: A setting is unknown, missing or invalid.
    """
    fields = kind.__dataclass_fields__
    if unknown := given.keys() - fields.keys():
        names = ", ".join(name for name, _ in _field_hints(kind))
        raise UsageError(f"{kind.__name__} has no setting {sorted(unknown)[0]!r}. Available: {names}")
    if missing := [name for name in _required(kind) if name not in given]:
        raise UsageError(f"{kind.__name__} requires {', '.join(missing)}; for example {missing[0]}=VALUE")
    hints = _hints(kind)
    return kind(**{name: coerce(value, hints[name], name) for name, value in given.items()})


def coerce(value: Any, hint: Any, name: str) -> Any:
    """Return ``value`` as the annotated type; floats are rounded to 12 significant digits.

    Args:
        value: Value of any origin, for example text from the command line.
        hint: Annotated type of the setting.
        name: Name of the setting, for the error.

    Raises:
        UsageError: The value does not have the type or violates its rule (see ``setting.py``).
    """
    if type(value) is hint and (hint not in (int, float, str) or (hint is int and abs(value) < INTEGER_LIMIT)):
        return value
    for alternative in _alternatives(hint):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            return _coerce(value, alternative, name)
    raise UsageError(f"Invalid {name}={_format_value(value)}: expected {describe_type(hint)}")


def _coerce(value: Any, hint: Any, name: str) -> Any:
    origin = typing.get_origin(hint)
    if origin is Annotated:
        coerced = _coerce(value, hint.__origin__, name)
        if all(rule.accepts(coerced) for rule in hint.__metadata__ if isinstance(rule, Rule)):
            return coerced
        raise ValueError
    if origin is Literal:
        for choice in typing.get_args(hint):
            if (value == choice and type(value) is type(choice)) or (isinstance(value, str) and value == str(choice)):
                return choice
        raise ValueError
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else list(value)
        of = typing.get_args(hint)
        if len(of) == 2 and of[1] is Ellipsis:
            return tuple(coerce(item, of[0], name) for item in items)
        if len(of) != len(items):
            raise ValueError
        return tuple(coerce(item, each, name) for item, each in zip(items, of, strict=True))
    if hint is type(None):
        if value is None or value == "none":
            return None
        raise ValueError
    if hint is bool:
        names = {"true": True, "false": False, "yes": True, "no": False}
        if isinstance(value, str) and value.lower() in names:
            return names[value.lower()]
        if isinstance(value, bool | np.bool_):
            return bool(value)
        raise ValueError
    if hint is int:
        if isinstance(value, bool | np.bool_) or (not isinstance(value, str) and int(value) != value):
            raise ValueError
        if abs(whole := int(value)) >= INTEGER_LIMIT:
            raise ValueError
        return whole
    if hint is float:
        number = math.nan if isinstance(value, bool | np.bool_) else float(f"{float(value):.12g}")
        if not math.isfinite(number):
            raise ValueError
        return number + 0.0  # -0 is 0
    if hint is str:
        if not isinstance(value, str) or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError
        return str(value)
    if isinstance(hint, type) and isinstance(value, hint):
        return value
    raise ValueError


def _plain(value: Any) -> Any:
    if isinstance(value, Trial):
        return canonical(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


def _decode(value: Any, types_by_name: Mapping[str, type[Trial]]) -> Any:
    if isinstance(value, dict):
        return decode(value, types_by_name)
    if isinstance(value, list):
        return [_decode(v, types_by_name) for v in value]
    return value


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def describe_type(hint: Any) -> str:
    """Return the valid values of a field as text, by its type and its rules: "a whole number ≥ 1", "one of sgd, adamw"."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        rules = [str(rule) for rule in hint.__metadata__ if isinstance(rule, Rule)]
        if hint.__origin__ is str and rules:
            return ", ".join(rules)
        between = " " if hint.__origin__ in (int, float) else ", "
        return between.join([describe_type(hint.__origin__), *rules])
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple:
        items = arguments[:1] if arguments[1:] == (Ellipsis,) else arguments
        kinds = list(dict.fromkeys(map(describe_type, items)))
        number = "values" if len(items) < len(arguments) else f"{len(items)} values"
        return f"{number} separated by commas, each {' or '.join(kinds)}"
    if len(_alternatives(hint)) > 1:
        return " or ".join(describe_type(h) for h in _alternatives(hint))
    return _TYPE_NAMES.get(hint, getattr(hint, "__name__", str(hint)))


_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "none"}


def _format_value(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    return ascii(text)[1:-1] if not text.isprintable() else text if len(text) <= 60 else f"{text[:57]}…"


def _is_required(f: dataclasses.Field) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _default(f: dataclasses.Field) -> Any:
    factory: Callable[[], Any] | Any = f.default_factory
    return f.default if f.default_factory is dataclasses.MISSING else factory()
