"""Contract Σ Π factors pair by pair, in the order that opt_einsum finds best for the sizes.

Each pair is one broadcast multiplication or one (batched) matrix multiplication. Xᵀ diag(s) X becomes ``X.T @ (s[:, None] * X)``.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from string import ascii_letters

from myths.hessian_cost.tensor_calculus.expression import Labels
from myths.hessian_cost.tensor_calculus.program_writer import ProgramWriter, Value

Operand = tuple[str, Labels]  # an array and the labels of its axes


class Contraction(ProgramWriter):
    """Writes the lines of one product."""

    def contract(self, operands: list[Operand], out: Labels, coefficient: float, sizes: dict[int, int]) -> Value:
        """Return coefficient · Σ Π operands, summed over the labels that are not in ``out``."""
        operands = [self.sum_axes(n, operands, out) for n in range(len(operands))]
        if abs(coefficient) != 1:
            operands, coefficient = self.scale_smallest(coefficient, operands, out, sizes)
        for pair in order_of_contraction(operands, out, sizes):
            chosen = [operands[n] for n in sorted(pair)]
            operands = [operand for n, operand in enumerate(operands) if n not in pair]
            while len(chosen) > 1:
                needed = set(out).union(*(labels for _, labels in operands + chosen[2:]))
                chosen = [self.contract_pair(chosen[0], chosen[1], needed, sizes), *chosen[2:]]
            operands.append(chosen[0])
        array, labels = operands[0]
        return Value(array, labels, out, coefficient)

    def scale_smallest(
        self, coefficient: float, operands: list[Operand], out: Labels, sizes: dict[int, int]
    ) -> tuple[list[Operand], float]:
        """Multiply the coefficient into the smallest factor. If the result is not larger, keep the coefficient separate."""
        volume = [_volume(labels, sizes) for _, labels in operands]
        least = min(range(len(operands)), key=volume.__getitem__)
        result = _volume(tuple({label for _, labels in operands for label in labels}.intersection(out)), sizes)
        if result <= volume[least]:
            return operands, coefficient
        array, labels = operands[least]
        scaled = (self.multiply(abs(coefficient), array), labels)
        return [*operands[:least], scaled, *operands[least + 1 :]], 1.0 if coefficient > 0 else -1.0

    def diagonal(self, array: str, labels: Labels) -> Operand:
        """Merge axes with the same label into one axis."""
        for label in dict.fromkeys(labels):
            while labels.count(label) > 1:
                first = labels.index(label)
                second = labels.index(label, first + 1)
                array = self.assign(f"{array}.diagonal(0, {first}, {second})")
                labels = (*(own for n, own in enumerate(labels) if n not in (first, second)), label)
        return array, labels

    def sum_axes(self, n: int, operands: list[Operand], out: Labels) -> Operand:
        """Sum an operand over the axes that no other operand and no output has."""
        array, labels = operands[n]
        needed = set(out).union(*(own for m, (_, own) in enumerate(operands) if m != n))
        axes = tuple(place for place, label in enumerate(labels) if label not in needed)
        return (self.assign(f"{array}.sum({axes})"), tuple(label for label in labels if label in needed)) if axes else (array, labels)

    def contract_pair(self, left: Operand, right: Operand, needed: set[int], sizes: dict[int, int]) -> Operand:
        """Multiply two operands and sum over the labels that are not needed."""
        (a, mine), (b, theirs) = left, right
        if _volume(mine, sizes) < _volume(theirs, sizes):
            (a, mine), (b, theirs) = right, left
        both = [label for label in mine if label in theirs]
        inner = tuple(label for label in both if label not in needed)
        batch = tuple(label for label in both if label in needed)
        rows = tuple(label for label in mine if label not in theirs)
        columns = tuple(label for label in theirs if label not in mine)
        if not inner:
            order = mine + columns
            return self.assign(f"{self.align(a, mine, order)} * {self.align(b, theirs, order)}"), order
        if not rows and not columns:
            if len(mine) == 1:
                return self.assign(f"{a} @ {b}"), ()
            axes = tuple(place for place, label in enumerate(mine) if label in inner)
            return self.assign(f"({a} * {self.permute(b, theirs, mine)}).sum({axes})"), batch
        a = self.group_axes(a, mine, (batch, rows, inner), sizes)
        b = self.group_axes(b, theirs, (batch, inner, columns), sizes)
        if batch and not (rows and columns):
            product = self.assign(f"({a} @ {b}[..., None])[..., 0]" if rows else f"({a}[..., None, :] @ {b})[..., 0, :]")
        else:
            product = self.assign(f"{a} @ {b}")
        labels = batch + rows + columns
        if len(rows) > 1 or len(columns) > 1:
            product = self.assign(f"{product}.reshape({tuple(sizes[label] for label in labels)})")
        return product, labels

    def group_axes(self, array: str, labels: Labels, groups: tuple[Labels, ...], sizes: dict[int, int]) -> str:
        """Permute axes into groups and join each of the last two groups to one axis. Empty groups are left out."""
        array = self.permute(array, labels, tuple(itertools.chain(*groups)))
        if any(len(group) > 1 for group in groups[1:]):
            shape = tuple(sizes[label] for label in groups[0]) + tuple(_volume(group, sizes) for group in groups[1:] if group)
            array = self.assign(f"{array}.reshape({shape})")
        return array


def _volume(labels: Labels, sizes: Mapping[int, int]) -> int:
    result = 1
    for label in labels:
        result *= sizes[label]
    return result


def order_of_contraction(operands: list[Operand], out: Labels, sizes: Mapping[int, int]) -> list[tuple[int, ...]]:
    """Return the operands to contract in each step. The result of a step is appended to the operands.

    The order is optimal for up to 7 factors, else heuristic, by opt_einsum or, if it is not installed, by NumPy.
    """
    if len(operands) < 2:
        return []
    there = {label for _, labels in operands for label in labels}
    written = ",".join("".join(_symbol(label) for label in labels) for _, labels in operands)
    kept = "".join(_symbol(label) for label in dict.fromkeys(out) if label in there)
    shapes = [tuple(sizes[label] for label in labels) for _, labels in operands]
    few = len(operands) <= 7
    try:
        from opt_einsum import contract_path
    except ImportError:
        import numpy as np

        arrays = [np.broadcast_to(0.0, shape) for shape in shapes]
        path = np.einsum_path(f"{written}->{kept}", *arrays, optimize="optimal" if few else "greedy")[0][1:]
    else:
        path = contract_path(f"{written}->{kept}", *shapes, shapes=True, optimize="optimal" if few else "auto")[0]
    return [tuple(chosen) for chosen in path]


def _symbol(label: int) -> str:
    return ascii_letters[label] if label < len(ascii_letters) else chr(192 + label)
