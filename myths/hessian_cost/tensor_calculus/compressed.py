"""Tensors stored as a small dense core and a delta pattern, such as 2·I⊗VᵀV (compression in Laue et al., AAAI 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from myths.hessian_cost.tensor_calculus.backends import Array
from myths.hessian_cost.tensor_calculus.errors import ShapeError, TensorError
from myths.hessian_cost.tensor_calculus.expression import Labels


@dataclass(frozen=True, eq=False)
class Compressed:
    """T[i₁ … iᵣ] = core[labels] where axes with a common label in ``out`` have equal indices, and zero elsewhere.

    A tensor of even order is a linear map from its last half of axes to its first half, see ``T @ v`` and ``solve``.

    Attributes:
        core: Array with one axis per label.
        labels: Labels of the core. The tensor is constant along a label of ``out`` that is not among them.
        out: Label of each axis of the tensor.
        shape: Shape of the dense tensor.
        operations: Array operations of the backend.
    """

    core: Array
    labels: Labels
    out: Labels
    shape: tuple[int, ...]
    operations: Mapping[str, Callable[..., Any]]

    @property
    def nbytes(self) -> int:
        """Size of the core in bytes."""
        return math.prod(self.core.shape) * int(self.core.itemsize)

    @property
    def dense_nbytes(self) -> int:
        """Size of the dense tensor in bytes."""
        return math.prod(self.shape) * int(self.core.itemsize)

    def __repr__(self) -> str:
        return f"Compressed(core {tuple(self.core.shape)} of {self.labels}, fills {self.out} of shape {self.shape})"

    def dense(self) -> Array:
        """Return the dense tensor."""
        order = tuple(dict.fromkeys(self.out))
        core = self._spread(order)
        if len(order) == len(self.out):
            return core
        return self.operations["embed"](core, tuple(order.index(label) for label in self.out), self.shape)

    def __matmul__(self, vector: Array) -> Array:
        """Return T v, summed over the axes of v. v has the last half of ``shape``, the result the first half."""
        rows, columns = self._halves(vector, "last")
        if len(set(rows)) < len(rows) or len(set(columns)) < len(columns):
            raise TensorError(f"{self!r}: a delta within the rows or within the columns; use dense()")
        batch, left, right = self._split(rows, columns)
        matrix = self._matrix(batch, left, right)
        value = matrix @ self._stacked(vector, columns, batch, right)
        return self._unstacked(value, rows, batch, left)

    def solve(self, vector: Array) -> Array:
        """Return x with T x = v, for example a Newton step without the dense Hessian.

        One small system is solved per delta index. If the core does not depend on the index, one matrix is factorized for all.

        Args:
            vector: Right-hand side v, with the first half of ``shape``. x has the last half.

        Raises:
            TensorError: T is not square, or has a delta within its rows or within its columns.
        """
        rows, columns = self._halves(vector, "first")
        batch, left, right = self._split(rows, columns)
        extent = self._extents()
        if math.prod(extent[label] for label in left) != math.prod(extent[label] for label in right):
            raise TensorError(f"{self!r} is not square")
        if len(set(rows)) < len(rows) or len(set(columns)) < len(columns):
            raise TensorError(f"{self!r} is singular: a delta within the rows or within the columns")
        varying = tuple(label for label in batch if label in self.labels)
        fixed = tuple(label for label in batch if label not in self.labels)
        matrix = self._matrix(varying, left, right)
        order = (*varying, *left, *fixed)  # the systems that share a matrix are its right-hand sides
        stacked = self._permuted(vector, rows, order)
        extents = [extent[label] for label in varying]
        stacked = stacked.reshape((*extents, math.prod(extent[label] for label in left), math.prod(extent[label] for label in fixed)))
        solved = self.operations["solve"](matrix, stacked)
        solved = solved.reshape(tuple(extent[label] for label in (*varying, *right, *fixed)))
        return self._permuted(solved, (*varying, *right, *fixed), columns)

    def _extents(self) -> dict[int, int]:
        return dict(zip(self.out, self.shape, strict=True))

    def _halves(self, vector: Array, half: str) -> tuple[Labels, Labels]:
        middle = len(self.out) // 2
        wanted = self.shape[middle:] if half == "last" else self.shape[:middle]
        if len(self.out) % 2 or tuple(vector.shape) != wanted:
            raise ShapeError(f"{self!r} takes the {half} half of its axes, {wanted}, not shape {tuple(vector.shape)}")
        return self.out[:middle], self.out[middle:]

    def _split(self, rows: Labels, columns: Labels) -> tuple[Labels, Labels, Labels]:
        """Return the labels of both rows and columns (deltas), of rows only, and of columns only."""
        batch = tuple(label for label in rows if label in columns)
        return batch, tuple(label for label in rows if label not in batch), tuple(label for label in columns if label not in batch)

    def _spread(self, order: Labels) -> Array:
        """Return the core with an axis for every label of ``order``."""
        extent = self._extents()
        there = tuple(label for label in order if label in self.labels)
        array = self._permuted(self.core, self.labels, there).reshape(tuple(extent[label] if label in there else 1 for label in order))
        return array if len(there) == len(order) else self.operations["broadcast"](array, tuple(extent[label] for label in order))

    def _matrix(self, batch: Labels, left: Labels, right: Labels) -> Array:
        """Return the core as [*batch left right]. A batch axis that the core lacks has size 1."""
        extent = self._extents()
        there = tuple(label for label in batch if label in self.labels)
        spread = self._spread((*there, *left, *right))
        sizes = [extent[label] if label in there else 1 for label in batch]
        return spread.reshape((*sizes, math.prod(extent[label] for label in left), math.prod(extent[label] for label in right)))

    def _stacked(self, vector: Array, labels: Labels, batch: Labels, inner: Labels) -> Array:
        extent = self._extents()
        array = self._permuted(vector, labels, (*batch, *inner))
        return array.reshape((*(extent[label] for label in batch), math.prod(extent[label] for label in inner), 1))

    def _unstacked(self, array: Array, labels: Labels, batch: Labels, inner: Labels) -> Array:
        extent = self._extents()
        return self._permuted(array.reshape(tuple(extent[label] for label in (*batch, *inner))), (*batch, *inner), labels)

    def _permuted(self, array: Array, labels: Labels, order: Labels) -> Array:
        return array if labels == order else self.operations["permute"](array, tuple(labels.index(label) for label in order))
