"""A function that a user writes down, such as ``sum(log(1 + exp(-(y * (X @ w)))))``, as a problem for every framework."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.hessian_cost.problem import Inputs, Problem
from myths.lab.errors import UsageError

if TYPE_CHECKING:
    from myths.hessian_cost.ops import Ops

_ENTRYWISE = ("exp", "log", "sin", "tanh", "softplus")
_SQUARE = ("det", "logdet")
FUNCTIONS = ("sum", *_ENTRYWISE, *_SQUARE, "diagonal", "solve")
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True)
class _Term:
    """A value in some framework, and its shape: what frameworks need to be told apart, a product needs to choose."""

    value: Any
    shape: tuple[int, ...]


class Formula(Problem):
    """A scalar function in Python's arithmetic over named vectors and matrices, by one of them.

    ``+ - * /`` work entry by entry on equal shapes or with a number, ``@`` multiplies matrices and vectors, ``.T``
    transposes, ``**`` takes a whole number; the functions are ``FUNCTIONS``. Nothing else of Python is understood or run.
    """

    def __init__(self, formula: str, by: str, shapes: str):
        """``shapes`` are such as ``"w:512 X:1024,512 y:1024"``. Raises UsageError for what cannot be read or does not fit."""
        self.formula, self.by, self.shapes = formula, by, _shapes(shapes)
        if by not in self.shapes:
            raise UsageError(f"by={by}: there is no {by} among {', '.join(self.shapes)}")
        try:
            self._tree = ast.parse(formula, mode="eval").body
        except SyntaxError as error:
            raise UsageError(f"{formula!r} cannot be read at character {error.offset}: {error.msg}") from error
        self.axes = ", ".join(f"{self._plain(name)}: {' '.join(map(str, shape))}" for name, shape in self.shapes.items())
        value, _ = self.expression()
        if value.axes:
            raise UsageError(f"{formula!r} gives a tensor of shape {list(map(int, value.axes))}; a Hessian is that of a number: sum(...)")

    def inputs(self, rng: np.random.Generator) -> Inputs:
        """Standard normal numbers in every array, float64."""
        return {self._plain(name): rng.standard_normal(shape) for name, shape in self.shapes.items()}

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """f(x). Shape []."""
        given = {"x": x, **c}
        terms = {name: _Term(given[self._plain(name)], shape) for name, shape in self.shapes.items()}
        return _Reader(self.formula, ops, terms).read(self._tree).value

    def _plain(self, name: str) -> str:
        """The variable is called x everywhere, and so a constant called x something else."""
        return "x" if name == self.by else f"{name}_" if name == "x" else name


@dataclass(frozen=True)
class _Reader:
    """Walks a formula and computes it in one framework's operations."""

    formula: str
    ops: Ops
    terms: Mapping[str, _Term]

    def read(self, node: ast.expr) -> _Term:
        match node:
            case ast.Constant(value=int() | float() as number):
                return _Term(float(number), ())
            case ast.Name(id=name):
                if name not in self.terms:
                    raise UsageError(f"{self.formula!r} names {name}, whose shape is not given; given: {', '.join(self.terms)}")
                return self.terms[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                term = self.read(operand)
                return _Term(-term.value, term.shape)
            case ast.Attribute(value=inner, attr="T"):
                term = self._matrix(inner)
                return _Term(self.ops.transpose(term.value), term.shape[::-1])
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self._product(self.read(left), self.read(right), node)
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int() as power)):
                term = self.read(left)
                return _Term(term.value**power, term.shape)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self._entrywise(self.read(left), self.read(right), _ARITHMETIC[type(op)], node)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                return self._call(name, arguments, node)
        words = f"+ - * / @ .T, ** with a whole number, {', '.join(FUNCTIONS)}"
        raise UsageError(f"{ast.unparse(node)!r} is not understood in {self.formula!r}; there are {words}")

    def _entrywise(self, a: _Term, b: _Term, operation: Callable[[Any, Any], Any], node: ast.expr) -> _Term:
        if a.shape != b.shape and a.shape and b.shape:
            raise self._misfit(a, b, node)
        return _Term(operation(a.value, b.value), a.shape or b.shape)

    def _product(self, a: _Term, b: _Term, node: ast.expr) -> _Term:
        if not a.shape or not b.shape or a.shape[-1] != b.shape[0]:
            raise self._misfit(a, b, node)
        shape = a.shape[:-1] + b.shape[1:]
        if len(a.shape) == len(b.shape) == 2:
            return _Term(a.value @ b.value, shape)
        if len(a.shape) == 2:
            return _Term(self.ops.mv(a.value, b.value), shape)
        if len(b.shape) == 2:
            return _Term(self.ops.mv(self.ops.transpose(b.value), a.value), shape)
        return _Term(self.ops.dot(a.value, b.value), shape)

    def _call(self, name: str, arguments: list[ast.expr], node: ast.expr) -> _Term:
        terms = [self.read(argument) for argument in arguments]
        if len(terms) != (2 if name == "solve" else 1):
            raise UsageError(f"{ast.unparse(node)!r}: {name} takes {'a matrix and a vector' if name == 'solve' else 'one argument'}")
        first = terms[0]
        if name in _SQUARE or name == "solve":
            self._matrix(arguments[0], square=True)
        if name == "solve" and terms[1].shape != first.shape[:1]:
            raise self._misfit(first, terms[1], node)
        if name == "diagonal" and len(first.shape) != 1:
            raise UsageError(f"{ast.unparse(node)!r}: diagonal takes a vector, not {list(first.shape)}")
        shape = {"sum": (), "det": (), "logdet": (), "diagonal": 2 * first.shape, "solve": first.shape[:1]}.get(name, first.shape)
        return _Term(getattr(self.ops, name)(*(term.value for term in terms)), shape)

    def _matrix(self, node: ast.expr, square: bool = False) -> _Term:
        term = self.read(node)
        if len(term.shape) != 2 or (square and term.shape[0] != term.shape[1]):
            raise UsageError(f"{ast.unparse(node)!r} in {self.formula!r} is {list(term.shape)}, not a {'square ' * square}matrix")
        return term

    def _misfit(self, a: _Term, b: _Term, node: ast.expr) -> UsageError:
        return UsageError(f"{ast.unparse(node)!r} in {self.formula!r}: the shapes {list(a.shape)} and {list(b.shape)} do not fit")


def _shapes(words: str) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for word in words.split():
        name, _, numbers = word.partition(":")
        sizes = numbers.split(",")
        if (
            not name.isidentifier()
            or name.strip("_") != name
            or name in FUNCTIONS
            or len(sizes) > 2
            or not all(size.isdecimal() and int(size) for size in sizes)
        ):
            raise UsageError(f"{word!r} is no shape; such as w:512 for a vector and X:1024,512 for a matrix")
        if name in shapes:
            raise UsageError(f"{name} has two shapes")
        shapes[name] = tuple(map(int, sizes))
    if not shapes:
        raise UsageError("there are no shapes; such as shapes='w:512 X:1024,512'")
    return shapes
