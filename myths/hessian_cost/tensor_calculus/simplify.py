"""Constructors of nodes that simplify while they build.

A product is flattened and its deltas are contracted by renaming labels. Equal factors become powers, and labels are numbered canonically.
Products that are equal up to names and order are therefore one object. A sum is flattened and like terms are merged. Zeros are removed and
constants are folded.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from myths.hessian_cost.tensor_calculus.errors import AxesError
from myths.hessian_cost.tensor_calculus.expression import (
    AxisFunction,
    Elementwise,
    Expression,
    Labels,
    MatrixFunction,
    Product,
    Size,
    Sum,
    Variable,
    intern,
    operator,
)
from myths.hessian_cost.tensor_calculus.functions import FUNCTIONS

Label = Hashable
Factors = list[tuple[Expression, tuple[Label, ...]]]

MOST_FACTORS = 24  # longer products stay nested: a matrix squared again and again must not become 2ⁿ factors


@operator
def contract(
    out: Iterable[Label],
    factors: Iterable[tuple[Expression, tuple[Label, ...]]],
    coefficient: float = 1.0,
    dims: Mapping[Label, str] | None = None,
) -> Expression:
    """Return coefficient · Σ Π factors, summed over all labels that are not in ``out``.

    A label repeated in ``out`` is a delta. A label of ``out`` that is in no factor broadcasts along the axis given in ``dims``.

    Raises:
        AxesError: A label stands for two different axes.
    """
    out, factors = tuple(out), list(factors)
    flat, out, coefficient, sizes = _flatten(out, factors, coefficient, dict(dims or {}))
    if coefficient == 0:
        flat = []
    used = {label for _, labels in flat for label in labels}.union(out)
    if coefficient != 0:
        alone = [axis for label, axis in sizes.items() if label not in used]
        coefficient *= math.prod(int(axis) for axis in alone if axis.isdigit())
        flat += [(intern(Size, axis), ()) for axis in alone if not axis.isdigit()]
    merged = _merge_powers(flat)
    if any(isinstance(node, Product) and factor not in flat for factor in merged for node in factor[:1]):
        return contract(out, merged, coefficient, sizes)
    flat = merged
    parts = _distribute(out, flat, coefficient, sizes)
    if parts is not None:
        return add(parts)
    numbered, numbers = _canonical(flat, out)
    final = tuple(numbers[label] for label in out)
    if coefficient == 1 and len(numbered) == 1 and numbered[0][1] == final == tuple(range(len(final))):
        return numbered[0][0]
    axes = tuple(sizes[label] for label in sorted(numbers, key=lambda label: numbers[label]))
    return intern(Product, float(coefficient), numbered, final, axes)


def _flatten(
    out: tuple[Label, ...], factors: Factors, coefficient: float, dims: dict[Label, str]
) -> tuple[Factors, tuple[Label, ...], float, dict[Label, str]]:
    """Expand products among the factors and merge labels that a delta joins."""
    parent: dict[Label, Label] = {}

    def find(label: Label) -> Label:
        while label in parent:
            label = parent[label]
        return label

    flat: Factors = []
    stack = factors[::-1]
    while stack:
        node, labels = stack.pop()
        for label, axis in zip(labels, node.axes, strict=True):
            if dims.setdefault(label, axis) != axis:
                raise AxesError(f"index {label!r} is axis {dims[label]!r} elsewhere, but axis {axis!r} of {node}")
        if not isinstance(node, Product) or len(flat) + len(stack) + len(node.factors) > MOST_FACTORS:
            flat.append((node, labels))
            continue
        coefficient *= node.coefficient
        inner: dict[int, Label] = {}
        for mine, outer in zip(node.out, labels, strict=True):
            first, second = find(inner.setdefault(mine, outer)), find(outer)
            if first != second:
                parent[second] = first
        for mine, axis in enumerate(node.dims):
            if mine not in inner:
                inner[mine] = fresh = object()
                dims[fresh] = axis
        stack.extend((factor, tuple(inner[label] for label in mine)) for factor, mine in reversed(node.factors))
    flat = [(node, tuple(find(label) for label in labels)) for node, labels in flat]
    return flat, tuple(find(label) for label in out), coefficient, {find(label): axis for label, axis in dims.items()}


def _merge_powers(factors: Factors) -> Factors:
    """Apply x[i] · x[i]³ = x[i]⁴ for integer exponents."""
    exponents: dict[tuple[Expression, tuple[Label, ...]], float] = {}
    others: Factors = []
    for node, labels in factors:
        if not isinstance(node, Elementwise) or node.function != "power":
            base, exponent = node, 1.0
        elif node.parameter.is_integer() and not isinstance(node.argument, Product):
            base, exponent = node.argument, node.parameter
        else:
            others.append((node, labels))
            continue
        exponents[base, labels] = exponents.get((base, labels), 0.0) + exponent
    merged = [(power(base, exponent), labels) for (base, labels), exponent in exponents.items() if exponent != 0]
    return merged + others


def _distribute(out: tuple[Label, ...], factors: Factors, coefficient: float, dims: dict[Label, str]) -> list[Expression] | None:
    """Return the terms of (A + λ I) x = A x + λ x. A sum is expanded if that contracts a delta or preserves a compressed form."""
    for place, (node, labels) in enumerate(factors):
        if not isinstance(node, Sum):
            continue
        pairs = [_deltas(term) for _, term in node.terms]
        contracted = any(labels[p] == labels[q] or labels[p] not in out or labels[q] not in out for found in pairs for p, q in found)
        if contracted or all(pairs):
            rest = factors[:place] + factors[place + 1 :]
            return [contract(out, [(term, labels), *rest], coefficient * c, dims) for c, term in node.terms]
    return None


def _deltas(node: Expression) -> list[tuple[int, int]]:
    """Return the pairs of axes that a delta joins."""
    if not isinstance(node, Product):
        return []
    return [(p, q) for p, q in itertools.combinations(range(node.order), 2) if node.out[p] == node.out[q]]


def _canonical(factors: Factors, out: tuple[Label, ...]) -> tuple[tuple[tuple[Expression, Labels], ...], dict[Label, int]]:
    """Order the factors canonically and number the labels from 0, those of ``out`` first.

    The smallest factor comes next. Among equally small factors, each is tried (up to 64 leaves) and the smallest result is kept.
    """
    start: dict[Label, int] = {}
    for label in out:
        start.setdefault(label, len(start))
    search = _Search()
    search.visit(factors, start, ())
    return search.done, search.numbers


@dataclass
class _Search:
    """Search for the smallest way to write the factors of a product."""

    written: list[tuple[str, Labels]] = field(default_factory=list)
    done: tuple[tuple[Expression, Labels], ...] = ()
    numbers: dict[Label, int] = field(default_factory=dict)
    leaves: int = 0

    def visit(self, rest: Factors, numbers: dict[Label, int], done: tuple[tuple[Expression, Labels], ...]) -> None:
        """Extend a partial order by each of the smallest remaining factors."""
        if not rest:
            written = [(node.key, labels) for node, labels in done]
            if not self.leaves or written < self.written:
                self.written, self.done, self.numbers = written, done, numbers
            self.leaves += 1
            return
        choices = [(place, node, order) for place, (node, labels) in enumerate(rest) for order in _orders(node, labels)]
        signatures = [
            (node.key, tuple(numbers.get(label, 1_000_000 + order.index(label)) for label in order)) for _, node, order in choices
        ]
        least = min(signatures)
        ties = [choice for choice, found in zip(choices, signatures, strict=True) if found == least]
        settled = all(number < 1_000_000 for number in least[1])
        for place, node, labels in ties[:1] if settled or self.leaves >= 64 else ties:
            extended = dict(numbers)
            for label in labels:
                extended.setdefault(label, len(extended))
            self.visit(rest[:place] + rest[place + 1 :], extended, (*done, (node, tuple(extended[label] for label in labels))))


def _orders(node: Expression, labels: tuple[Label, ...]) -> tuple[tuple[Label, ...], ...]:
    """Return the orders of a factor's labels with equal meaning: both orders of a symmetric matrix."""
    return (labels, labels[::-1]) if len(labels) == 2 and _is_symmetric(node) else (labels,)


def _is_symmetric(node: Expression) -> bool:
    """Return whether a matrix is symmetric because a variable in it is."""
    if isinstance(node, Variable):
        return node.symmetric
    if isinstance(node, Sum):
        return all(_is_symmetric(term) or _deltas(term) for _, term in node.terms) and any(_is_symmetric(term) for _, term in node.terms)
    return node.order == 2 and isinstance(node, Elementwise | MatrixFunction) and _is_symmetric(node.argument)


def constant_like(axes: Sequence[str], value: float) -> Expression:
    """Return a tensor with these axes and one value everywhere."""
    places = tuple(range(len(axes)))
    return contract(places, [], value, dict(zip(places, axes, strict=True)))


def unit(axes: Sequence[str]) -> Expression:
    """Return the unit tensor [*axes *axes], the derivative of a variable by itself."""
    places = tuple(range(len(axes)))
    return contract(places + places, [], 1.0, dict(zip(places, axes, strict=True)))


def number(node: Expression) -> float | None:
    """Return the value of a constant tensor, or None."""
    plain = isinstance(node, Product) and not node.factors and len(set(node.out)) == len(node.out)
    return node.coefficient if isinstance(node, Product) and plain else None


@operator
def transpose(node: Expression, order: Sequence[int]) -> Expression:
    """Return the axes in another order, as numpy.transpose."""
    return contract(order, [(node, tuple(range(node.order)))])


def scale(coefficient: float, node: Expression) -> Expression:
    """Return coefficient · node."""
    places = tuple(range(node.order))
    return contract(places, [(node, places)], coefficient)


def add(terms: Iterable[Expression]) -> Expression:
    """Return the sum of one or more expressions with equal axes.

    Raises:
        AxesError: The axes differ.
    """
    collected: dict[Expression, float] = {}
    stack = [(1.0, term) for term in terms][::-1]
    axes = stack[-1][1].axes
    while stack:
        coefficient, node = stack.pop()
        if node.axes != axes:
            raise AxesError(f"cannot add axes {list(node.axes)} of {node} to axes {list(axes)}")
        if isinstance(node, Sum):
            stack.extend((coefficient * c, term) for c, term in reversed(node.terms))
        elif isinstance(node, Product) and (inner := _scaled_sum(node)) is not None:
            within, order = inner
            stack.extend((coefficient * node.coefficient * c, transpose(term, order)) for c, term in within.terms)
        else:
            if isinstance(node, Product) and node.coefficient != 1:
                coefficient *= node.coefficient
                node = contract(node.out, list(node.factors), 1.0, dict(enumerate(node.dims))) if node.coefficient else node
            collected[node] = collected.get(node, 0.0) + coefficient
    kept = sorted(((c, node) for node, c in collected.items() if c != 0), key=lambda term: term[1].key)
    if not kept:
        return constant_like(axes, 0.0)
    if len(kept) == 1:
        return scale(*kept[0])
    return intern(Sum, tuple(kept))


def _scaled_sum(node: Product) -> tuple[Sum, Labels] | None:
    """Return the sum and the order of its axes if a product is only c · sum with permuted axes."""
    if len(node.factors) != 1 or len(node.out) != len(node.dims) or len(set(node.out)) != len(node.out):
        return None
    inner, labels = node.factors[0]
    permuted = isinstance(inner, Sum) and len(set(labels)) == len(node.out)
    return (inner, tuple(labels.index(label) for label in node.out)) if isinstance(inner, Sum) and permuted else None


def power(argument: Expression, exponent: float) -> Expression:
    """Return the element-wise power with a constant exponent."""
    if exponent == 1:
        return argument
    if exponent == 0:
        return constant_like(argument.axes, 1.0)
    return elementwise("power", argument, float(exponent))


def elementwise(function: str, argument: Expression, parameter: float = 0.0) -> Expression:
    """Return an element-wise function."""
    rule = FUNCTIONS[function]
    value = number(argument)
    if value is not None and (folded := rule.fold(value, parameter)) is not None:
        return constant_like(argument.axes, folded)
    if isinstance(argument, Product):
        layout = _layout(argument)
        if layout is not None:
            core, labels = layout
            return contract(argument.out, [(elementwise(function, core, parameter), labels)], 1.0, dict(enumerate(argument.dims)))
        whole = function == "power" and parameter.is_integer()
        if argument.factors and argument.coefficient != 1 and whole:
            core = contract(argument.out, list(argument.factors), 1.0, dict(enumerate(argument.dims)))
            return scale(argument.coefficient**parameter, elementwise(function, core, parameter))
    return _identity(function, argument, parameter) or intern(Elementwise, function, parameter, argument)


def _layout(node: Product) -> tuple[Expression, Labels] | None:
    """Return the tensor that a product only broadcasts or transposes, with its labels. Functions are applied before the broadcast."""
    used = {label for _, labels in node.factors for label in labels}
    core = tuple(label for label in node.out if label in used)
    if len(set(node.out)) != len(node.out) or not node.factors:
        return None
    if len(core) < len(node.out):
        return contract(core, list(node.factors), node.coefficient), core
    factor, labels = node.factors[0]
    if node.coefficient == 1 and len(node.factors) == 1 and sorted(labels) == sorted(node.out):
        return factor, labels
    return None


def _identity(function: str, x: Expression, parameter: float) -> Expression | None:
    """Apply exp log x = log exp x = x, (xᵃ)ᵇ = xᵃᵇ for integer b, log(1 + exp x) = softplus x and 1/(1 + exp x) = sigmoid(−x).

    Other logarithms of exponentials are rewritten so that nothing overflows.
    """
    if function == "log1p" and isinstance(x, Elementwise) and x.function == "exp":
        return elementwise("softplus", x.argument)
    if function == "log" and isinstance(x, Elementwise) and x.function == "sigmoid":
        return scale(-1.0, elementwise("softplus", scale(-1.0, x.argument)))
    if function == "log" and isinstance(x, AxisFunction) and x.function == "softmax":
        return _log_softmax(x)
    if isinstance(x, Elementwise):
        if {function, x.function} == {"exp", "log"}:
            return x.argument
        if function == x.function == "power" and parameter.is_integer():
            return power(x.argument, x.parameter * parameter)
    if isinstance(x, Sum) and len(x.terms) == 2 and (function == "log" or (function == "power" and parameter == -1)):
        one = [node for c, node in x.terms if c == 1 and number(node) == 1]
        exps = [node for c, node in x.terms if c == 1 and isinstance(node, Elementwise) and node.function == "exp"]
        if one and exps:
            return elementwise("softplus", exps[0].argument) if function == "log" else elementwise("sigmoid", scale(-1.0, exps[0].argument))
    if function == "log":
        return _log_of_exponentials(x)
    if function == "log1p":
        return _log_of_exponentials(add([constant_like(x.axes, 1.0), x]))
    return None


def _log_softmax(x: AxisFunction) -> Expression:
    """Return u − logsumexp u."""
    places = tuple(range(x.order))
    total = axis_function("logsumexp", x.argument, x.along)
    spread = contract(places, [(total, places[: total.order])], -1.0, dict(zip(places, x.axes, strict=True)))
    return add([x.argument, spread])


def _log_of_exponentials(x: Expression) -> Expression | None:
    """Write log(Σ c·exp(u) + …) with logsumexp and softplus. Return None unless all terms are positive and one is an exponential."""
    terms = x.terms if isinstance(x, Sum) else ((1.0, x),)
    logs = [_log_of_term(c, node) for c, node in terms]
    if any(found is None for found in logs) or all(number(node) is not None for _, node in terms):
        return None
    return functools.reduce(lambda a, b: add([a, elementwise("softplus", add([b, scale(-1.0, a)]))]), [found for found in logs if found])


def _log_of_term(c: float, node: Expression) -> Expression | None:
    """Return log(c · node) of a positive number, or of a sum over axes of a product of exponentials."""
    if not isinstance(node, Product):
        if isinstance(node, Elementwise) and node.function == "exp" and c > 0:
            return add([node.argument, constant_like(node.axes, math.log(c))])
        return None
    c *= node.coefficient
    if c <= 0 or len(set(node.out)) < len(node.out):
        return None
    exponents = [
        (factor.argument, labels) for factor, labels in node.factors if isinstance(factor, Elementwise) and factor.function == "exp"
    ]
    if len(exponents) < len(node.factors):
        return None
    there = {label for _, labels in exponents for label in labels}
    kept = tuple(label for label in node.out if label in there)
    summed = tuple(sorted(there.difference(kept)))
    value = constant_like(node.axes, math.log(c))
    if not exponents:
        return value
    dims: dict[Label, str] = dict(enumerate(node.dims))
    exponent = add([contract(kept + summed, [factor], 1.0, {label: dims[label] for label in kept + summed}) for factor in exponents])
    total = axis_function("logsumexp", exponent, len(summed))
    return add([contract(node.out, [(total, kept)], 1.0, {label: dims[label] for label in node.out}), value])


def axis_function(function: str, argument: Expression, along: int) -> Expression:
    """Return ``logsumexp``, ``softmax``, ``max`` or ``argmax`` along the last ``along`` axes."""
    if along == 0:
        return argument if function in ("logsumexp", "max") else constant_like(argument.axes, 1.0)
    return intern(AxisFunction, function, along, argument)


def matrix_function(function: str, argument: Expression) -> Expression:
    """Return the ``inverse``, ``det`` or ``logdet`` (log |det|) of a square matrix.

    Raises:
        AxesError: The matrix is not square.
    """
    if argument.order != 2 or argument.axes[0] != argument.axes[1]:
        raise AxesError(f"{function} needs a square matrix, not axes {list(argument.axes)} of {argument}")
    if isinstance(argument, Product) and argument.coefficient == 1 and len(argument.factors) == 1 and argument.out == (0, 1):
        factor, labels = argument.factors[0]
        if labels == (1, 0):  # of a transpose
            value = matrix_function(function, factor)
            return transpose(value, (1, 0)) if function == "inverse" else value
    if function == "inverse" and isinstance(argument, MatrixFunction):
        return argument.argument
    return intern(MatrixFunction, function, argument)
