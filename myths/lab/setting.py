"""Valid values and meanings of the settings of a trial.

A field with restricted values is ``Annotated`` with a rule. ``coerce`` in ``trial.py`` checks the rule whenever a trial is created, and
``myths try MYTH TRIAL --help`` prints it. The string below a field, or a ``Meaning`` in its type, states what the field means.

Example:
    >>> class Toss(Trial):
    ...     bias: Annotated[float, Range(at_least=0, at_most=1)] = 0.5
    ...     '''Probability of heads.'''
    ...     tosses: Annotated[int, Range(at_least=1, also=(0, "until the first head"))] = 0
    ...     seed: Seed = 0
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any

from myths.lab.errors import UsageError


class Rule(ABC):
    """A condition on the value of a setting. Its text completes "expected …"."""

    @abstractmethod
    def accepts(self, value: Any) -> bool:
        """Return whether a value of the annotated type is valid."""


@dataclass(frozen=True, kw_only=True)
class Range(Rule):
    """A range of valid numbers.

    Attributes:
        at_least: Smallest valid number.
        above: Exclusive lower bound.
        at_most: Largest valid number.
        below: Exclusive upper bound.
        also: A further valid number with its meaning, for example ``(0, "all")``.
    """

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    also: tuple[float, str] | None = None

    def accepts(self, value: float) -> bool:
        """Return whether the number is in the range or is the further valid number."""
        return (self.also is not None and value == self.also[0]) or (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        bounds = (("≥", self.at_least), (">", self.above), ("≤", self.at_most), ("<", self.below))
        said = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
        return said if self.also is None else f"{said}, or {self.also[0]:g} ({self.also[1]})"


@dataclass(frozen=True)
class Text(Rule):
    """Texts that a regular expression matches in full."""

    pattern: str
    text: str

    def accepts(self, value: str) -> bool:
        """Return whether the whole text matches."""
        return re.fullmatch(self.pattern, value) is not None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class OneOf(Rule):
    """A list of valid names."""

    names: tuple[str, ...]

    def accepts(self, value: str) -> bool:
        """Return whether the name is in the list."""
        return value in self.names

    def __str__(self) -> str:
        return "one of " + ", ".join(self.names)


@dataclass(frozen=True, kw_only=True)
class Items(Rule):
    """Minimum number of items of a tuple, and whether they must be distinct."""

    at_least: int = 1
    distinct: bool = False

    def accepts(self, value: tuple[Any, ...]) -> bool:
        """Return whether the tuple has enough items and, if required, no duplicates."""
        return len(value) >= self.at_least and not (self.distinct and len(set(value)) < len(value))

    def __str__(self) -> str:
        return f"at least {self.at_least}" + ", all different" * self.distinct


@dataclass(frozen=True)
class Meaning:
    """Meaning of a setting, for a type that several trials share."""

    text: str


NAME = Text(r"\w[\w. -]{0,99}", "a name of at most 100 letters, digits, '_', '-', '.' and ' ', without a folder")
"""Name of a dataset, weights or texts, as ``myths data list`` prints it. Paths do not match."""

NAME_OR_NONE = Text(r"(\w[\w. -]{0,99})?", "empty, or a name of at most 100 letters, digits, '_', '-', '.' and ' '")
NOT_EMPTY = Text(r"(?s).*\S.*", "a text that is not empty")
ANY_LINE = Text(r"[^\x00-\x1f\x7f]*", "a text on one line, which may be empty")

DatasetName = Annotated[str, NAME, Meaning("Dataset, as `myths data list` names it.")]
Seed = Annotated[int, Range(at_least=0), Meaning("Seed of every random stream of the trial.")]
Count = Annotated[int, Range(at_least=1)]
Fraction = Annotated[float, Range(at_least=0, at_most=1)]
Epochs = Annotated[float, Range(above=0), Meaning("Passes over the training set.")]
BatchSize = Annotated[int, Range(at_least=1), Meaning("Examples per step.")]
LearningRate = Annotated[float, Range(above=0), Meaning("Learning rate, at its highest where the schedule changes it.")]
Momentum = Annotated[float, Range(at_least=0, below=1), Meaning("Momentum of gradient descent.")]
WeightDecay = Annotated[float, Range(at_least=0), Meaning("Weight decay: L2 with SGD, decoupled with AdamW.")]
LabelSmoothing = Annotated[float, Range(at_least=0, below=1), Meaning("Probability that the target spreads over all classes.")]
Dropout = Annotated[float, Range(at_least=0, below=1), Meaning("Dropout rate.")]
TrainExamples = Annotated[int, Range(at_least=1, also=(0, "all")), Meaning("Number of training examples.")]
Subwords = Annotated[int, Range(at_least=1, also=(0, "characters")), Meaning("Size of the vocabulary.")]


def check_divides(trial: Any, part: str, whole: str) -> None:
    """Check that one setting of a trial divides another.

    Args:
        trial: The trial.
        part: Name of the divisor.
        whole: Name of the dividend.

    Raises:
        UsageError: It does not.
    """
    divisor, number = getattr(trial, part), getattr(trial, whole)
    if number % divisor:
        fitting = ", ".join(str(n) for n in range(1, number + 1) if number % n == 0)
        raise UsageError(f"Invalid {part}={divisor}: expected a divisor of {whole}={number}: {fitting}")


def meanings(kind: type) -> dict[str, str]:
    """Return the strings below the fields of a class and its bases, by field. The most derived class takes precedence."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        try:
            source = textwrap.dedent(inspect.getsource(each))
        except (OSError, TypeError):
            continue  # a built-in class, or one that was typed at a prompt
        body = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)).body
        for node, after in itertools.pairwise(body):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(after, ast.Expr):
                constant = after.value
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    found[node.target.id] = " ".join(constant.value.split())
    return found
