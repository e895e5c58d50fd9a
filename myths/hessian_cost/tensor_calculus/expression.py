"""Expressions: immutable, hash-consed nodes of a directed acyclic graph.

Two expressions that are built alike are the same object. ``is`` therefore compares expressions, and common subexpressions are shared. The
name of an axis is the name of its size: axes with equal names have equal sizes.

All expressions consist of eight kinds of nodes:

- ``Variable``: a named array.
- ``Size``: the number of entries along an axis.
- ``Product``: c · Σ Π factors with index strings, the ``C = A *_(s1,s2,s3) B`` of Laue et al. (AAAI 2020) for any number of factors. An
  output index that is in no factor broadcasts; a repeated output index is a delta. Numbers, zeros, ones, unit tensors, transposes, traces
  and sums over axes are also products.
- ``Sum``: Σ c · term.
- ``Elementwise``: a function of every entry.
- ``MatrixFunction``: inverse, det and logdet.
- ``AxisFunction``: logsumexp, softmax, max and argmax along the last axes.
- ``Selection``: the 0-1 matrix that selects the entries start, start + step, … of a vector. It expresses slices as products.

``simplify`` builds all nodes in normal form. Do not call the classes.
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
"""Implementations of the operators and of ``str``, by name. The modules that build and print nodes register them, to avoid a circular
import.
"""


def operator(function: Function) -> Function:
    """Register a function in ``OPERATORS`` under its own name."""
    OPERATORS[function.__name__] = function
    return function


class Expression:
    """A tensor-valued expression. ``axes`` are the names of its axes; a scalar has none.

    ``+ - * /`` act element-wise on equal axes or with a scalar. ``**`` takes a number. ``@`` sums the last axis of the left operand with
    the
    first of the right. ``A["ij"]`` names the indices for products in which repeated indices are summed, such as ``A["ij"] * x["j"]``.

    Raises:
        AxesError: The axes of the operands are ambiguous.
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
        """The subexpressions."""
        return ()

    @property
    def order(self) -> int:
        """The number of axes."""
        return len(self.axes)

    @property
    def T(self) -> Expression:
        """The transpose: all axes in reverse order."""
        return OPERATORS["transpose"](self, tuple(reversed(range(self.order))))

    def sum(self) -> Expression:
        """Return the sum of all entries as a scalar."""
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
    """Gives every node a key that depends only on its structure and orders terms and factors. The key is equal in every process."""

    __slots__ = ()

    def _set_key(self, rank: int, *parts: object) -> None:
        written = repr(tuple(part.key if isinstance(part, Expression) else part for part in parts))
        object.__setattr__(self, "key", f"{rank}{blake2b(written.encode(), digest_size=12).hexdigest()}")


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True, repr=False)
class Variable(_Keyed):
    """An input. ``constant`` forbids derivatives by it. ``symmetric`` declares a matrix that equals its transpose."""

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
    """The number of entries along an axis, as a scalar."""

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
    """coefficient · Σ Π factors, summed over the labels that are not in ``out``. ``dims[l]`` is the axis of label l."""

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
    """Σ coefficient · term over terms with equal axes."""

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
    """A function of every entry. ``parameter`` is the exponent of ``power`` or the order of ``polygamma``, else 0."""

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
    """The ``inverse`` [n n], ``det`` or ``logdet`` (scalars) of a square matrix."""

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
    """A function of the entries along the last ``along`` axes, for each entry of the other axes.

    ``logsumexp`` and ``max`` remove these axes. ``softmax`` and ``argmax`` keep them. ``argmax`` is 1 at the largest entry and 0 elsewhere;
    several largest entries share the 1 equally.
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
    """S[i j] = 1 if j = start + step · i, else 0. The axes are rows and columns."""

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
    """Return the unique node of this class with these fields."""
    node = _nodes.get((kind, *fields))
    if node is None:
        node = _nodes[kind, *fields] = kind(*fields)
    assert isinstance(node, kind)
    return node


def walk(*roots: Expression) -> Iterator[Expression]:
    """Yield every node below the roots once, children before parents."""
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
    """Return the variables and constants of expressions, sorted by name."""
    return tuple(sorted((node for node in walk(*roots) if isinstance(node, Variable)), key=lambda node: node.key))
