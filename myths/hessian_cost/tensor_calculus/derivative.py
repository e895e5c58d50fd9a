"""Derivatives of any expression by any variable, of any order, as expressions (Laue et al., AAAI 2020).

The edges of the graph between y and x carry the derivative of a node by a child. A node is *eliminated* by multiplying every incoming edge
with every outgoing edge. After all nodes are eliminated, the edge from y to x is dy/dx. The three modes are three elimination orders: from
x
upwards (forward), from y downwards (reverse), or, in the paper's cross-country mode, the node with the tensors of lowest order first. A
delta counts as one axis there, so element-wise and diagonal factors come before matrices. The mode determines how sums over several paths
are factored. Along one path, all factors become one product, and the order of its contraction is chosen at evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

from myths.hessian_cost.tensor_calculus import simplify
from myths.hessian_cost.tensor_calculus.errors import AxesError, TensorError, UnknownVariable
from myths.hessian_cost.tensor_calculus.expression import (
    AxisFunction,
    Elementwise,
    Expression,
    MatrixFunction,
    Product,
    Sum,
    Variable,
    walk,
)

Mode = Literal["forward", "reverse", "cross-country"]
Edges = dict[Expression, dict[Expression, Expression]]


def derivative(y: Expression, *by: Expression, mode: Mode = "cross-country") -> Expression:
    """Return the derivative of y by one variable after the other.

    Args:
        y: Expression to differentiate.
        by: Variables. A variable that y does not contain gives zero.
        mode: Elimination order.

    Returns:
        The derivative, with axes [*y.axes *by[0].axes *by[1].axes …].

    Raises:
        UnknownVariable: One of ``by`` is not a variable.
    """
    for x in by:
        if not isinstance(x, Variable) or x.constant:
            raise UnknownVariable(f"cannot differentiate {y} by {x}, which is not a variable")
        y = _eliminate(y, x, mode)
    return y


def gradient(f: Expression, x: Expression, mode: Mode = "reverse") -> Expression:
    """Return the gradient of a scalar, with the axes of x.

    Raises:
        AxesError: f is not a scalar.
    """
    if f.order:
        raise AxesError(f"a gradient is that of a scalar; {f} has axes {list(f.axes)}: use derivative")
    return derivative(f, x, mode=mode)


def hessian(f: Expression, x: Expression, y: Expression | None = None, mode: Mode = "cross-country") -> Expression:
    """Return the second derivative of a scalar by x and y, with axes [*x.axes *y.axes].

    Args:
        f: Scalar expression.
        x: Variable of the gradient, which is computed in reverse mode.
        y: Variable of the second derivative. Default: x.
        mode: Elimination order of the second derivative.
    """
    return derivative(gradient(f, x), x if y is None else y, mode=mode)


def _eliminate(y: Expression, x: Variable, mode: Mode) -> Expression:
    between, edges = _graph(y, x)
    if y is x:
        return simplify.unit(x.axes)
    if y not in edges:
        return simplify.constant_like(y.axes + x.axes, 0.0)
    parents: dict[Expression, set[Expression]] = {}
    for node, out in edges.items():
        for child in out:
            parents.setdefault(child, set()).add(node)
    place = {node: n for n, node in enumerate(between)}
    left = [node for node in between if node is not x and node is not y]
    while left:
        if mode == "forward":
            node = left[0]
        elif mode == "reverse":
            node = left[-1]
        elif mode == "cross-country":
            node = min(left, key=lambda v: (_cost(v, edges, parents), place[v]))
        else:
            raise TensorError(f"there is no mode {mode!r}; there are forward, reverse and cross-country")
        left.remove(node)
        _remove(node, edges, parents, place)
    return edges[y][x]


def _graph(y: Expression, x: Variable) -> tuple[list[Expression], Edges]:
    """Return the nodes on the paths from y to x, children first, and the edges between them."""
    between: dict[Expression, None] = {}
    edges: Edges = {}
    for node in walk(y):
        below = dict.fromkeys(child for child in node.children if child in between)
        if below:
            edges[node] = {child: partial(node, child) for child in below}
        if below or node is x:
            between[node] = None
    return list(between), edges


def _remove(node: Expression, edges: Edges, parents: dict[Expression, set[Expression]], place: dict[Expression, int]) -> None:
    out = edges.pop(node)
    for child in out:
        parents[child].discard(node)
    for parent in sorted(parents.pop(node), key=place.__getitem__):
        above = edges[parent].pop(node)
        for child, below in out.items():
            term = _chain(above, below, node.order)
            known = edges[parent].get(child)
            edges[parent][child] = term if known is None else simplify.add([known, term])
            parents[child].add(parent)


def _chain(above: Expression, below: Expression, order: int) -> Expression:
    """Return ∂w/∂v · ∂v/∂u, summed over the axes of v."""
    split = above.order - order
    mine = tuple(range(above.order))
    theirs = mine[split:] + tuple(range(above.order, above.order + below.order - order))
    return simplify.contract(mine[:split] + theirs[order:], [(above, mine), (below, theirs)])


def _cost(node: Expression, edges: Edges, parents: dict[Expression, set[Expression]]) -> tuple[int, int, int]:
    """Return the cost of eliminating a node: the order of the largest factor, of all factors, and the number of multiplications."""
    into = [_free_order(edges[parent][node]) for parent in parents[node]]
    out = [_free_order(edge) for edge in edges[node].values()]
    return max(into) + max(out), sum(into) + sum(out), len(into) * len(out)


def _free_order(edge: Expression) -> int:
    """Return the order of a tensor, where a delta counts as one axis."""
    return len(set(edge.out)) if isinstance(edge, Product) else edge.order


def partial(node: Expression, child: Expression) -> Expression:
    """Return the derivative of a node by one child, with the other children fixed, and axes [*node.axes *child.axes]."""
    if isinstance(node, Product):
        return simplify.add(
            simplify.contract(
                node.out + labels,
                [other for m, other in enumerate(node.factors) if m != n],
                node.coefficient,
                dict(enumerate(node.dims)),
            )
            for n, (factor, labels) in enumerate(node.factors)
            if factor is child
        )
    if isinstance(node, Sum):
        return simplify.scale(sum(c for c, term in node.terms if term is child), simplify.unit(child.axes))
    if isinstance(node, Elementwise):
        places = tuple(range(node.order))
        return simplify.contract(places + places, [(_slope(node), places)])
    if isinstance(node, MatrixFunction):
        i, j, a, b = range(4)
        if node.function == "inverse":
            return simplify.contract((i, j, a, b), [(node, (i, a)), (node, (b, j))], -1.0)
        inverse = simplify.matrix_function("inverse", child)
        return simplify.contract((a, b), [(inverse, (b, a)), *([(node, ())] if node.function == "det" else [])])
    if isinstance(node, AxisFunction):
        return _axis_slope(node)
    raise TensorError(f"{node} has no derivative")


def _axis_slope(node: AxisFunction) -> Expression:
    """Return the derivative of an axis function by its argument, with axes [*node.axes *argument.axes]."""
    x, outer = node.argument, node.argument.order - node.along
    batch, inner = tuple(range(outer)), tuple(range(outer, x.order))
    others = tuple(range(x.order, x.order + node.along))
    if node.function == "argmax":
        return simplify.constant_like(node.axes + x.axes, 0.0)
    weights = node if node.function == "softmax" else simplify.axis_function(WEIGHTS[node.function], x, node.along)
    if node.function in WEIGHTS:
        return simplify.contract(batch + batch + inner, [(weights, batch + inner)])
    return simplify.add(
        [
            simplify.contract(batch + inner + batch + inner, [(weights, batch + inner)]),
            simplify.contract(batch + inner + batch + others, [(weights, batch + inner), (weights, batch + others)], -1.0),
        ]
    )


WEIGHTS = {"logsumexp": "softmax", "max": "argmax"}
"""Derivative by an entry along the axes, by function."""


def _slope(node: Elementwise) -> Expression:
    """Return f′(x) for y = f(x), element-wise."""
    if node.function not in SLOPES:
        raise TensorError(f"{node.function} has no derivative")
    return SLOPES[node.function](node)


def _constant(node: Elementwise, value: float) -> Expression:
    return simplify.constant_like(node.axes, value)


def _times(*factors: Expression, coefficient: float = 1.0) -> Expression:
    places = tuple(range(factors[0].order))
    return simplify.contract(places, [(factor, places) for factor in factors], coefficient)


def _plus_one(x: Expression, sign: float = 1.0) -> Expression:
    """Return 1 + sign · x."""
    return simplify.add([simplify.constant_like(x.axes, 1.0), simplify.scale(sign, x)])


def _of(function: str, sign: float = 1.0) -> Callable[[Elementwise], Expression]:
    return lambda node: simplify.scale(sign, simplify.elementwise(function, node.argument))


SLOPES: Mapping[str, Callable[[Elementwise], Expression]] = {
    "exp": lambda node: node,
    "expm1": _of("exp"),
    "log": lambda node: simplify.power(node.argument, -1.0),
    "log1p": lambda node: simplify.power(_plus_one(node.argument), -1.0),
    "sigmoid": lambda node: _times(node, _plus_one(node, -1.0)),
    "softplus": _of("sigmoid"),
    "tanh": lambda node: _plus_one(simplify.power(node, 2.0), -1.0),
    "sin": _of("cos"),
    "cos": _of("sin", -1.0),
    "sinh": _of("cosh"),
    "cosh": _of("sinh"),
    "arctan": lambda node: simplify.power(_plus_one(simplify.power(node.argument, 2.0)), -1.0),
    "erf": lambda node: simplify.scale(
        2 / math.sqrt(math.pi), simplify.elementwise("exp", simplify.scale(-1.0, simplify.power(node.argument, 2.0)))
    ),
    "lgamma": lambda node: simplify.elementwise("polygamma", node.argument, 0.0),
    "polygamma": lambda node: simplify.elementwise("polygamma", node.argument, node.parameter + 1),
    "abs": _of("sign"),
    "relu": _of("step"),
    "sign": lambda node: _constant(node, 0.0),
    "heaviside": lambda node: _constant(node, 0.0),
    "step": lambda node: _constant(node, 0.0),
    "power": lambda node: _times(simplify.power(node.argument, node.parameter - 1), coefficient=node.parameter),
}
"""Derivatives of all element-wise functions. At a jump, the value is the one documented in ``notation``."""
