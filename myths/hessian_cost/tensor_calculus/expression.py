"""Expressions: the nodes of a directed acyclic graph, immutable and made once (hash-consed).

Two expressions that are built alike are the *same object*, so ``is`` compares them and common
sub-expressions are shared. An axis bears the name of its size: axes of one name have one size.

There are eight kinds of nodes, and every other notion is one of them:

- ``Variable``: a named array. - ``Size``: the number of entries along an axis.
- ``Product``: c · Σ Π factors with index strings, the ``C = A *_(s1,s2,s3) B`` of Laue et al. (AAAI 2020) for any
  number of factors. An index of the output that is in no factor broadcasts, one that is repeated
  in the output is a delta: numbers, zeros, ones, unit tensors, transposes, traces and sums over
  axes are products too. - ``Sum``: Σ c · term. - ``Elementwise`` functions.
- ``MatrixFunction``: inverse, det and logdet. - ``AxisFunction``: logsumexp, softmax, max and its argmax along the last axes.
- ``Selection``: the 0-1 matrix that takes entries start, start + step, … of a vector, which makes slices products.

Nodes are made by ``simplify``, which keeps them in normal form; do not call the classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeVar
from weakref import WeakValueDictionary

Labels = tuple[int, ...]
Function = TypeVar("Function", bound=Callable[..., Any])
OPERATORS: dict[str, Callable[..., Any]] = {}
"""What the operators of an expression and its ``str`` do, by name. The modules that build nodes and print them enter it: they need the
nodes, and these need not them."""


def operator(function: Function) -> Function:
    """Enter a function among ``OPERATORS`` under its own name."""
    OPERATORS[function.__name__] = function
    return function


class Expression:
    """A tensor-valued expression. Its ``axes`` are names; order 0 is a scalar.

    ``+ - * /`` act element by element on equal axes, or with a scalar; ``**`` takes a number;
    ``@`` sums the last axis of the left with the first of the right; ``A["ij"]`` gives index
    names, for products in which repeated indices are summed: ``A["ij"] * x["j"]``.
    Raises AxesError where the axes leave a doubt.
    """

    __slots__ = ()
    __array_ufunc__ = None  # NumPy leaves `array * expression` to us, who refuse it
    __iter__ = None  # has __getitem__, but is no sequence
    key: str

    @property
    def axes(self) -> tuple[str, ...]:
        """The name of every axis."""
        raise NotImplementedError

    @property
    def children(self) -> tuple[Expression, ...]:
        """The expressions that this one is made of."""
        return ()

    @property
    def order(self) -> int:
        """The number of axes."""
        return len(self.axes)

    @property
    def T(self) -> Expression:
        """The transpose: all axes in reverse. Shape [a b … z] becomes [z … b a]."""
        return OPERATORS["transpose"](self, tuple(reversed(range(self.order))))

    def sum(self) -> Expression:
        """The sum of all entries. Shape []."""
        return OPERATORS["contract"]((), [(self, tuple(range(self.order)))])

    def __getitem__(self, indices: str) -> Any:
        return OPERATORS["indexed"](self, indices)

    def __add__(self, other: Any) -> Any:
        return OPERATORS["add"](self, other)

    def __radd__(self, other: Any) -> Any:
        return OPERATORS["add"](other, self)

    def __sub__(self, other: Any) -> Any:
        return OPERATORS["subtract"](self, other)

    def __rsub__(self, other: Any) -> Any:
        return OPERATORS["subtract"](other, self)

    def __mul__(self, other: Any) -> Any:
        return OPERATORS["multiply"](self, other)

    def __rmul__(self, other: Any) -> Any:
        return OPERATORS["multiply"](other, self)

    def __truediv__(self, other: Any) -> Any:
        return OPERATORS["divide"](self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return OPERATORS["divide"](other, self)

    def __matmul__(self, other: Any) -> Any:
        return OPERATORS["matmul"](self, other)

    def __pow__(self, exponent: Any) -> Any:
        return OPERATORS["power"](self, exponent)

    def __neg__(self) -> Expression:
        return OPERATORS["multiply"](-1.0, self)

    def __str__(self) -> str:
        return OPERATORS["text"](self)

    __repr__ = __str__


class _Keyed(Expression):
    """Gives every node a key that depends on its structure only, the same in every process: it orders terms and factors."""

    __slots__ = ()

    def _set_key(self, rank: int, *parts: object) -> None:
        written = repr(tuple(part.key if isinstance(part, Expression) else part for part in parts))
        object.__setattr__(self, "key", f"{rank}{blake2b(written.encode(), digest_size=12).hexdigest()}")


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True, repr=False)
class Variable(_Keyed):
    """An input. Shape: its axes. ``constant``: derivatives by it are refused. ``symmetric``: a matrix that equals its transpose."""

    name: str
    names: tuple[str, ...]
    constant: bool
    symmetric: bool = False
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"0{self.name} {self.names} {self.constant}{' symmetric' * self.symmetric}")

    @property
    def axes(self) -> tuple[str, ...]:
        """The name of every axis."""
        return self.names


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True, repr=False)
class Size(_Keyed):
    """The number of entries along an axis, as a scalar. Shape []."""

    axis: str
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self._set_key(1, self.axis)

    @property
    def axes(self) -> tuple[str, ...]:
        """None."""
        return ()


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True, repr=False)
class Product(_Keyed):
    """coefficient · Σ Π factors, summed over the labels that are not in ``out``; ``dims[l]`` is the axis of label l."""

    coefficient: float
    factors: tuple[tuple[Expression, Labels], ...]
    out: Labels
    dims: tuple[str, ...]
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self._set_key(2, self.coefficient, *[part for factor in self.factors for part in factor], self.out, self.dims)

    @property
    def axes(self) -> tuple[str, ...]:
        """The axis of every label of ``out``."""
        return tuple(self.dims[label] for label in self.out)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The factors."""
        return tuple(factor for factor, _ in self.factors)


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True, repr=False)
class Sum(_Keyed):
    """Σ coefficient · term over terms of equal axes."""

    terms: tuple[tuple[float, Expression], ...]
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self._set_key(5, *[part for term in self.terms for part in term])

    @property
    def axes(self) -> tuple[str, ...]:
        """Those of every term."""
        return self.terms[0][1].axes

    @property
    def children(self) -> tuple[Expression, ...]:
        """The terms."""
        return tuple(term for _, term in self.terms)


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True, repr=False)
class Elementwise(_Keyed):
    """A function of every entry; ``parameter`` is the exponent of ``power``, the order of ``polygamma``, and 0 for the others."""

    function: str
    parameter: float
    argument: Expression
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self._set_key(4, self.function, self.parameter, self.argument)

    @property
    def axes(self) -> tuple[str, ...]:
        """Those of the argument."""
        return self.argument.axes

    @property
    def children(self) -> tuple[Expression, ...]:
        """The argument."""
        return (self.argument,)


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True, repr=False)
class MatrixFunction(_Keyed):
    """``inverse`` (shape [n n]), ``det`` or ``logdet`` (shape []) of a square matrix."""

    function: str
    argument: Expression
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self._set_key(3, self.function, self.argument)

    @property
    def axes(self) -> tuple[str, ...]:
        """Two for the inverse, none for det and logdet."""
        return self.argument.axes if self.function == "inverse" else ()

    @property
    def children(self) -> tuple[Expression, ...]:
        """The argument."""
        return (self.argument,)


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True, repr=False)
class AxisFunction(_Keyed):
    """A function of the entries along the last ``along`` axes together, for each entry of the others.

    ``logsumexp`` and ``max`` drop these axes. ``softmax``, and ``argmax`` (1 at the largest entry, in equal parts where several
    are largest, else 0), keep them.
    """

    function: str
    along: int
    argument: Expression
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self._set_key(6, self.function, self.along, self.argument)

    @property
    def axes(self) -> tuple[str, ...]:
        """Those of the argument, without the last ``along`` where the function drops them."""
        axes = self.argument.axes
        return axes if self.function in ("softmax", "argmax") else axes[: len(axes) - self.along]

    @property
    def children(self) -> tuple[Expression, ...]:
        """The argument."""
        return (self.argument,)


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True, repr=False)
class Selection(_Keyed):
    """S[i j] = 1 where j = start + step · i, else 0. Shape [rows columns]: names of axes."""

    start: int
    step: int
    names: tuple[str, str]
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self._set_key(7, self.start, self.step, self.names)

    @property
    def axes(self) -> tuple[str, ...]:
        """Rows and columns."""
        return self.names


Node = TypeVar("Node", bound=Expression)
_nodes: WeakValueDictionary[tuple[object, ...], Expression] = WeakValueDictionary()


def intern(kind: type[Node], *fields: Any) -> Node:
    """The one node of this kind with these fields."""
    node = _nodes.get((kind, *fields))
    if node is None:
        node = _nodes[kind, *fields] = kind(*fields)
    assert isinstance(node, kind)
    return node


def walk(*roots: Expression) -> Iterator[Expression]:
    """Every node below the roots once, children before parents."""
    seen: set[Expression] = set()
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, entered = stack.pop()
        if entered:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(node.children) if child not in seen)


def variables(*roots: Expression) -> tuple[Variable, ...]:
    """The variables and constants in expressions, by name."""
    return tuple(sorted((node for node in walk(*roots) if isinstance(node, Variable)), key=lambda node: node.key))
