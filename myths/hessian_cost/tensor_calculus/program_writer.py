"""Lines of an array program, each written once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from keyword import iskeyword

from myths.hessian_cost.tensor_calculus.errors import ShapeError
from myths.hessian_cost.tensor_calculus.expression import Expression, Labels

OPERATIONS = frozenset(
    [
        "exp",
        "log",
        "sigmoid",
        "softplus",
        "tanh",
        "sin",
        "cos",
        "sinh",
        "cosh",
        "arctan",
        "erf",
        "lgamma",
        "polygamma",
        "log1p",
        "expm1",
        "abs",
        "sign",
        "heaviside",
        "relu",
        "step",
        "sech_squared",
        "logsumexp",
        "softmax",
        "softmax_complement",
        "max",
        "argmax",
        "selection",
        "sqrt",
        "inverse",
        "det",
        "logdet",
        "permute",
        "broadcast",
        "constant",
        "finish",
        "embed",
        "embed_add",
        "embed_set",
    ]
)


@dataclass(frozen=True)
class Value:
    """scale · array, where array (None: the number 1) has the axes ``labels``, and axis p of the tensor is label ``out[p]``.

    A label that ``labels`` lacks is broadcast; one that ``out`` repeats is a delta.
    """

    array: str | None
    labels: Labels
    out: Labels
    scale: float = 1.0

    @property
    def delta(self) -> bool:
        """Whether two axes are one."""
        return len(set(self.out)) < len(self.out)


def identifier(name: str) -> str:
    """What a variable is called in the program, where keywords and the operations have their own names."""
    return f"{name}_" if iskeyword(name) or name in OPERATIONS else name


@dataclass
class ProgramWriter:
    """Writes lines for arrays of known axis sizes. ``reference_array``: an input, whose dtype and device constants get."""

    sizes: Mapping[str, int]
    reference_array: str
    lines: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)

    def assign(self, right: str) -> str:
        """Assigns the right side to a name, once."""
        if right not in self.known:
            self.known[right] = name = f"_{len(self.known)}"
            self.lines.append(f"{name} = {right}")
        return self.known[right]

    def with_deletions(self, results: Sequence[str]) -> list[str]:
        """The lines, with every temporary array deleted after its last use, which keeps the peak of memory low."""
        last = {name: n for n, line in enumerate(self.lines) for name in re.findall(r"\b_\d+\b", line)}
        kept = set(results)
        gone = [[name for name, n in last.items() if n == place and name not in kept] for place in range(len(self.lines))]
        return [line + (f"; del {', '.join(names)}" if names else "") for line, names in zip(self.lines, gone, strict=True)]

    def size(self, axis: str, node: Expression) -> int:
        """Raises ShapeError when no input and nobody else has said it."""
        if axis.isdigit():
            return int(axis)
        if axis not in self.sizes:
            raise ShapeError(f"the size of axis {axis!r} of {node} is unknown: no array has it; give sizes={{{axis!r}: …}}")
        return self.sizes[axis]

    def multiply(self, scale: float, array: str) -> str:
        """scale · array."""
        return array if scale == 1 else self.assign(f"-{array}" if scale == -1 else f"{scale!r} * {array}")

    def permute(self, array: str, labels: Labels, order: Labels) -> str:
        """The array with its axes in this order."""
        if labels == order:
            return array
        axes = tuple(labels.index(label) for label in order)
        return self.assign(f"{array}.T" if axes == (1, 0) else f"permute({array}, {axes})")

    def align(self, array: str, labels: Labels, order: Labels) -> str:
        """The array with its axes in this order, and an axis of size 1 for each label that it lacks."""
        there = tuple(label for label in order if label in labels)
        array = self.permute(array, labels, there)
        if len(there) == len(order) or not there:
            return array
        keep = [label in labels for label in order]
        while keep and keep[0] is False:  # leading axes of size 1 are understood
            keep.pop(0)
        return array if all(keep) else self.assign(f"{array}[{', '.join(':' if own else 'None' for own in keep)}]")
