"""Generate a straight-line program of array operations from an expression, for given axis sizes.

A ``Value`` is an array and the pattern by which it fills its tensor. Deltas and broadcasts therefore cost nothing until a dense result is
required.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from myths.hessian_cost.tensor_calculus import simplify
from myths.hessian_cost.tensor_calculus.contraction import Contraction, Operand
from myths.hessian_cost.tensor_calculus.expression import (
    AxisFunction,
    Elementwise,
    Expression,
    Labels,
    MatrixFunction,
    Product,
    Selection,
    Size,
    Sum,
    Variable,
    walk,
)
from myths.hessian_cost.tensor_calculus.printing import summary
from myths.hessian_cost.tensor_calculus.program_writer import Value, identifier
from myths.hessian_cost.tensor_calculus.simplify import Label, number


@dataclass
class CodeGenerator(Contraction):
    """Generates the lines of expressions. ``guarded`` adds a check where an expression may not be differentiable."""

    guarded: bool = False
    values: dict[Expression, Value] = field(default_factory=dict)

    def guard(self, kind: str, array: str, node: Expression) -> None:
        """Add a line that raises NotDifferentiable unless the array is of this kind."""
        if self.guarded:
            self.lines.append(f"_guard({kind!r}, {array}, {summary(node)!r})")

    def value(self, root: Expression) -> Value:
        """Return the value of an expression. Its subexpressions are generated first."""
        for node in walk(root):
            if node not in self.values:
                self.values[node] = self.write(node)
        return self.values[root]

    def write(self, node: Expression) -> Value:
        """Return the value of a node whose children have values."""
        places = tuple(range(node.order))
        if isinstance(node, Variable):
            return Value(identifier(node.name), places, places)
        if isinstance(node, Size):
            return Value(None, (), (), float(self.size(node.axis, node)))
        if isinstance(node, Product):
            return self.product(node)
        if isinstance(node, Sum):
            return self.sum(node)
        if isinstance(node, Elementwise):
            value = self.plain(node.argument)
            return Value(self.function(node, self.scaled(value)), value.labels, value.out)
        if isinstance(node, AxisFunction):
            return Value(self.assign(f"{node.function}({self.dense(node.argument)}, {node.along})"), places, places)
        if isinstance(node, Selection):
            rows, columns = (self.size(axis, node) for axis in node.axes)
            return Value(self.assign(f"selection({node.start}, {node.step}, {rows}, {columns}, {self.reference_array})"), places, places)
        assert isinstance(node, MatrixFunction)
        argument = self.dense(node.argument)
        if node.function == "inverse":
            self.guard("invertible", argument, node)
        return Value(self.assign(f"{node.function}({argument})"), places if node.function == "inverse" else (), places)

    def function(self, node: Elementwise, x: str) -> str:
        """Return a function of an array."""
        p = node.parameter
        if node.function in ("log", "lgamma", "polygamma"):
            self.guard("positive", x, node)
        elif node.function == "log1p":
            self.guard("above -1", x, node)
        elif node.function == "power" and not (p >= 0 and p.is_integer()):
            self.guard("nonzero" if p.is_integer() else "positive" if p < 0 else "nonnegative", x, node)
        if node.function == "polygamma":
            return self.assign(f"polygamma({x}, {int(p)})")
        if node.function != "power":
            return self.assign(f"{node.function}({x})")
        powers = {
            2: f"{x} * {x}",
            3: f"{x} * {x} * {x}",
            -1: f"1.0 / {x}",
            -2: f"1.0 / ({x} * {x})",
            0.5: f"sqrt({x})",
            -0.5: f"1.0 / sqrt({x})",
        }
        return self.assign(powers.get(p, f"{x} ** {p!r}"))

    def scaled(self, value: Value) -> str:
        """Return the array multiplied by its scale."""
        if value.array is None:
            return self.assign(f"constant({value.scale!r}, {self.reference_array})")
        return self.multiply(value.scale, value.array)

    def extents(self, node: Expression, out: Labels) -> dict[int, int]:
        """Return the size of every label of a value."""
        return {label: self.size(axis, node) for label, axis in zip(out, node.axes, strict=True)}

    def plain(self, node: Expression) -> Value:
        """Return the value without deltas."""
        value = self.values[node]
        places = tuple(range(node.order))
        return Value(self.dense(node), places, places) if value.delta else value

    def dense(self, node: Expression) -> str:
        """Return the tensor as one dense array."""
        value = self.values[node]
        array, sizes = self.scaled(value), self.extents(node, value.out)
        shape = tuple(sizes[label] for label in value.out)
        if value.delta:
            order = sorted(set(value.out))
            pattern = tuple(order.index(label) for label in value.out)
            return self.assign(f"embed({self.align(array, value.labels, tuple(order))}, {pattern}, {shape})")
        array = self.align(array, value.labels, value.out)
        return array if set(value.labels) == set(value.out) else self.assign(f"broadcast({array}, {shape})")

    def sum(self, node: Sum) -> Value:
        """Add terms with a common delta pattern in compressed form. Add a term with more deltas to a diagonal."""
        if (complement := self.complement(node)) is not None:
            return complement
        values = [replace(self.values[term], scale=c * self.values[term].scale) for c, term in node.terms]
        patterns = list(zip(*[value.out for value in values], strict=True))
        common = list(dict.fromkeys(patterns))  # axes are one label where every term has them as one
        out = tuple(common.index(pattern) for pattern in patterns)
        sizes = self.extents(node, out)
        full = tuple(range(len(common)))
        shape = tuple(sizes[label] for label in full)
        flat: dict[int, Value] = {}
        sparse: dict[int, tuple[Value, Labels]] = {}
        for n, value in enumerate(values):
            own = tuple(pattern[n] for pattern in common)  # the term's label at each common label
            if len(set(own)) < len(own):
                sparse[n] = value, own
            else:
                flat[n] = replace(value, labels=tuple(own.index(label) for label in value.labels))
        for n, m, instead in self.cancelling(node):
            if n in sparse and m in flat:
                _, own = sparse.pop(n)
                order = sorted(set(own))
                dense = self.align(self.scaled(flat[m]), flat[m].labels, full)
                dense = dense if set(flat[m].labels) == set(full) else self.assign(f"broadcast({dense}, {shape})")
                value = self.value(instead)
                diagonal = self.align(self.scaled(value), value.labels, value.out)
                pattern = tuple(order.index(label) for label in own)
                flat[m] = Value(self.assign(f"embed_set({dense}, {diagonal}, {pattern})"), full, out)
        total = self.add_values(list(flat.values()), out)
        for value, own in sparse.values():
            order = sorted(set(own))
            core = self.align(self.scaled(value), value.labels, tuple(order))
            pattern = tuple(order.index(label) for label in own)
            if total is None:
                total = Value(self.assign(f"embed({core}, {pattern}, {shape})"), full, out)
            else:
                dense = self.align(self.scaled(total), total.labels, full)
                dense = dense if set(total.labels) == set(full) else self.assign(f"broadcast({dense}, {shape})")
                total = Value(self.assign(f"embed_add({dense}, {core}, {pattern})"), full, out)
        assert total is not None
        return total

    def cancelling(self, node: Sum) -> Iterator[tuple[int, int, Expression]]:
        """Yield the terms δ p and −p pᵀ of a softmax p. Their diagonal p − p² is written as p(1 − p) to avoid cancellation."""
        for n, (c, term) in enumerate(node.terms):
            if not isinstance(term, Product) or len(set(term.out)) == len(term.out):
                continue
            kept, dims = sorted(set(term.out)), dict[Label, str](enumerate(term.dims))
            for factor, labels in term.factors:
                if not isinstance(factor, AxisFunction) or factor.function != "softmax":
                    continue
                squared = simplify.contract(kept, [*term.factors, (factor, labels)], c * term.coefficient, dims)
                for m, (d, other) in enumerate(node.terms):
                    diagonal = simplify.contract(kept, [(other, term.out)], d)
                    if m != n and number(simplify.add([squared, diagonal])) == 0:
                        rest = simplify.add([simplify.constant_like(factor.axes, 1.0), simplify.scale(-1.0, factor)])
                        yield n, m, simplify.contract(kept, [*term.factors, (rest, labels)], c * term.coefficient, dims)

    def complement(self, node: Sum) -> Value | None:
        """Return 1 − sigmoid(u), 1 − tanh(u)² or 1 − softmax(u) without cancellation, else None."""
        (one, ones), (minus, other) = (node.terms[0], node.terms[-1])
        if len(node.terms) != 2:
            return None
        if number(ones) is None:
            (one, ones), (minus, other) = (minus, other), (one, ones)
        if number(ones) != 1 or (one, minus) != (1.0, -1.0):
            return None
        if isinstance(other, AxisFunction) and other.function == "softmax":
            places = tuple(range(node.order))
            return Value(self.assign(f"softmax_complement({self.dense(other.argument)}, {other.along})"), places, places)
        if not isinstance(other, Elementwise):
            return None
        inner = other.argument
        if other.function == "sigmoid":
            value = self.plain(inner)
            return replace(value, array=self.assign(f"sigmoid({self.scaled(replace(value, scale=-value.scale))})"), scale=1.0)
        if other.function == "power" and other.parameter == 2 and isinstance(inner, Elementwise) and inner.function == "tanh":
            value = self.plain(inner.argument)
            return replace(value, array=self.assign(f"sech_squared({self.scaled(value)})"), scale=1.0)
        return None

    def add_values(self, terms: list[Value], out: Labels) -> Value | None:
        """Return the sum of values without common deltas, in the axes of the largest."""
        if not terms:
            return None
        number = sum(value.scale for value in terms if value.array is None)
        arrays = sorted((value for value in terms if value.array is not None), key=lambda value: (-len(value.labels), value.scale < 0))
        if not arrays:
            return Value(None, (), out, number)
        if len(arrays) == 1 and not number:
            return replace(arrays[0], out=out)
        order = arrays[0].labels + tuple(sorted({label for value in arrays for label in value.labels} - set(arrays[0].labels)))
        written = f"{number!r}" if number else ""
        for value in arrays:
            array = self.align(value.array or "", value.labels, order)
            head = "" if abs(value.scale) == 1 else f"{abs(value.scale)!r} * "
            sign = (" - " if value.scale < 0 else " + ") if written else ("-" if value.scale < 0 else "")
            written += f"{sign}{head}{array}"
        return Value(self.assign(written), order, out)

    def product(self, node: Product) -> Value:
        """Return a product. Constant factors, and sums over labels that no factor has, go into the coefficient."""
        coefficient = node.coefficient
        operands: list[Operand] = []
        for factor, labels in node.factors:
            value = self.plain(factor)
            coefficient *= value.scale
            if value.array is not None:
                at = dict(zip(value.out, labels, strict=True))
                operands.append(self.diagonal(value.array, tuple(at[label] for label in value.labels)))
        there = {label for _, labels in operands for label in labels}
        for label, axis in enumerate(node.dims):
            if label not in there and label not in node.out:
                coefficient *= self.size(axis, node)
        if not operands:
            return Value(None, (), node.out, coefficient)
        sizes = {label: self.size(axis, node) for label, axis in enumerate(node.dims)}
        return self.contract(operands, node.out, coefficient, sizes)
