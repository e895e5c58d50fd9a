"""Write the lines of an array program. Each distinct line is written once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from keyword import iskeyword

from myths.hessian_cost.tensor_calculus.errors import ShapeError
from myths.hessian_cost.tensor_calculus.expression import Expression, Labels

OPERATIONS = frozenset([
    "exp", "log", "sigmoid", "softplus", "tanh", "sin", "cos", "sinh", "cosh", "arctan", "erf", "lgamma", "polygamma", "log1p",
    "expm1", "abs", "sign", "heaviside", "relu", "step", "sech_squared", "logsumexp", "softmax", "softmax_complement", "max",
    "argmax", "selection", "sqrt", "inverse", "det", "logdet", "permute", "broadcast", "constant", "finish", "embed", "embed_add",
    "embed_set",
])  # fmt: skip


@dataclass(frozen=True)
class Value:
    """A tensor, stored as scale · array.

    Attributes:
        array: Name of the array, or None for the number 1.
        labels: Axes of the array.
        out: Label of each axis of the tensor. A label that is not in ``labels`` broadcasts; a repeated label is a delta.
        scale: Factor.
    """

    array: str | None
    labels: Labels
    out: Labels
    scale: float = 1.0

    @property
    def delta(self) -> bool:
        """Whether two axes share a label."""
        return len(set(self.out)) < len(self.out)


def identifier(name: str) -> str:
    """Return the name of a variable in the program. Keywords and names of operations get a suffix."""
    return f"{name}_" if iskeyword(name) or name in OPERATIONS else name


@dataclass
class ProgramWriter:
    """Writes lines for arrays with known axis sizes. Constants take the dtype and device of the input ``reference_array``."""

    sizes: Mapping[str, int]
    reference_array: str
    lines: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)

    def assign(self, right: str) -> str:
        """Assign an expression to a name and return the name. Equal expressions share a name."""
        if right not in self.known:
            self.known[right] = name = f"_{len(self.known)}"
            self.lines.append(f"{name} = {right}")
        return self.known[right]

    def with_deletions(self, results: Sequence[str]) -> list[str]:
        """Return the lines, with every temporary array deleted after its last use to reduce peak memory."""
        last = {name: n for n, line in enumerate(self.lines) for name in re.findall(r"\b_\d+\b", line)}
        kept = set(results)
        gone = [[name for name, n in last.items() if n == place and name not in kept] for place in range(len(self.lines))]
        return [line + (f"; del {', '.join(names)}" if names else "") for line, names in zip(self.lines, gone, strict=True)]

    def size(self, axis: str, node: Expression) -> int:
        """Return the size of an axis.

        Raises:
            ShapeError: The size is unknown.
        """
        if axis.isdigit():
            return int(axis)
        if axis not in self.sizes:
            raise ShapeError(f"the size of axis {axis!r} of {node} is unknown: no array has it; give sizes={{{axis!r}: …}}")
        return self.sizes[axis]

    def multiply(self, scale: float, array: str) -> str:
        """Return scale · array."""
        return array if scale == 1 else self.assign(f"-{array}" if scale == -1 else f"{scale!r} * {array}")

    def permute(self, array: str, labels: Labels, order: Labels) -> str:
        """Return the array with its axes in this order."""
        if labels == order:
            return array
        axes = tuple(labels.index(label) for label in order)
        return self.assign(f"{array}.T" if axes == (1, 0) else f"permute({array}, {axes})")

    def align(self, array: str, labels: Labels, order: Labels) -> str:
        """Return the array with its axes in this order, and an axis of size 1 for each label that it lacks."""
        there = tuple(label for label in order if label in labels)
        array = self.permute(array, labels, there)
        if len(there) == len(order) or not there:
            return array
        keep = [label in labels for label in order]
        while keep and keep[0] is False:  # leading axes of size 1 are understood
            keep.pop(0)
        return array if all(keep) else self.assign(f"{array}[{', '.join(':' if own else 'None' for own in keep)}]")
