"""Parse a formula with Python's grammar and evaluate it with one framework's operations. Nothing is executed as Python."""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.hessian_cost import vocabulary
from myths.lab.errors import UsageError

if TYPE_CHECKING:
    from myths.hessian_cost.ops import Ops

Shape = tuple[int, ...]
MAX_CHARACTERS, MAX_DEPTH = 4000, 100
MAX_ENTRIES = 2**29
"""Largest number of entries of one array and of the Hessian (4 GiB of float64)."""
_SIGNS = {"^": "**", "−": "-", "·": "*", "×": "*", "²": "**2", "³": "**3", "\n": " ", "\t": " ", "\r": " "}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_OPERATORS: Mapping[str, type[ast.operator]] = {"add": ast.Add, "subtract": ast.Sub, "multiply": ast.Mult, "divide": ast.Div}


_HINTS: Mapping[str, str] = {
    "invalid decimal literal": "a product is written 2*x",
    "unterminated string": "a transpose is written x.T",
    "invalid syntax": "give the right-hand side alone, with * for products and norm(x) for norms",
}
"""Hints for syntax errors whose Python message does not help."""


class ParsedFormula:
    """Syntax tree of a formula, with the position of each node in the user's text."""

    def __init__(self, formula: str):
        """Parse a formula.

        Raises:
            UsageError: The formula is not a Python expression, is too long or is nested too deeply.
        """
        self.written = formula.strip()
        if not self.written:
            raise UsageError("formula is empty; for example, formula='sum((X @ w - y)**2)'")
        if len(self.written) > MAX_CHARACTERS:
            raise UsageError(f"formula has {len(self.written):,} characters; the limit is {MAX_CHARACTERS:,}")
        self.places = [place for place, sign in enumerate(self.written) for _ in _SIGNS.get(sign, sign)] + [len(self.written)]
        self.python = "".join(_SIGNS.get(sign, sign) for sign in self.written)
        try:
            self.tree = ast.parse(self.python, mode="eval").body
        except SyntaxError as error:
            at = min(max((error.offset or 1) - 1, 0), len(self.python))
            hint = next((f"; {hint}" for start, hint in _HINTS.items() if error.msg.startswith(start)), "")
            raise self.refused(at, f"cannot be read: {error.msg}{hint}") from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise self.refused(0, f"cannot be read: {self._why(error)}") from error
        if _depth(self.tree) > MAX_DEPTH:
            raise self.refused(0, f"is nested more than {MAX_DEPTH} deep")
        self.names = frozenset(node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name))

    @staticmethod
    def _why(error: Exception) -> str:
        return str(error).partition(";")[0] if isinstance(error, ValueError) else "it is nested too deeply"

    def refused(self, at: ast.AST | int, says: str) -> UsageError:
        """Return an error that marks the position with an arrow."""
        if isinstance(at, ast.AST):
            at = len(self.python.encode()[: getattr(at, "col_offset", 0)].decode(errors="ignore"))
        place = self.places[min(at, len(self.places) - 1)]
        shown = self.written if len(self.written) <= 200 else f"{self.written[max(0, place - 80) : place + 80]}"
        arrow = place if len(self.written) <= 200 else min(place, 80)
        return UsageError(f"formula, character {place + 1} ({shown[:arrow]}→{shown[arrow:]}): {says}")


def _depth(tree: ast.AST) -> int:
    deepest, stack = 0, [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
    return deepest


@dataclass(frozen=True)
class Term:
    """A value of a framework and its shape. The shape selects the kind of product."""

    value: Any
    shape: Shape = ()

    @property
    def number(self) -> float | None:
        """The value of a literal number, or None."""
        return self.value if isinstance(self.value, int | float) else None


@dataclass(frozen=True)
class FormulaEvaluator:
    """Evaluates a formula with one framework's operations."""

    text: ParsedFormula
    ops: Ops
    terms: Mapping[str, Term]
    by: str

    def read(self, node: ast.expr) -> Term:
        """Return the value of a part of the formula.

        Raises:
            UsageError: The part is not supported. The message shows its position.
        """
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return self._number(lambda: float(number), node)
            case ast.Name(id=name):
                return self._name(name, node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                term = self.read(operand)
                return Term(-term.value, term.shape)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript(value=ast.Attribute(value=inner, attr="shape"), slice=axis):
                shape, place = self.read(inner).shape, _whole(axis)
                if place is None or not -len(shape) <= place < len(shape):
                    raise self.text.refused(node, f"the shape is {list(shape)}: write .shape[0]")
                return Term(float(shape[place]))
            case ast.Subscript(value=inner, slice=index):
                return self._slice(self.read(inner), index, node)
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self._product(self.read(left), self.read(right), node)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self._power(self.read(left), self.read(right), node)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self._arithmetic(type(op), self.read(left), self.read(right), node)
            case ast.Call():
                return self._call(node)
        written = ast.unparse(node)
        if isinstance(node, ast.Compare):
            raise self.text.refused(node, f"{written[:60]!r}: comparisons are not supported; write {vocabulary.INSTEAD['where']}")
        raise self.text.refused(node, f"{written[:60]!r} is not supported; use + - * / ** @ .T, slices and functions such as sum(x)")

    # --- numbers and names

    def _number(self, compute: Callable[[], Any], node: ast.expr) -> Term:
        """Return a constant number. Refuse a number that is not finite and real."""
        try:
            value = compute()
        except (OverflowError, ZeroDivisionError, ValueError):
            value = None
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise self.text.refused(node, "this number is not finite and real")
        return Term(value)

    def _name(self, name: str, node: ast.expr) -> Term:
        if name in self.terms:
            return self.terms[name]
        if name in vocabulary.CONSTANTS:
            return Term(vocabulary.CONSTANTS[name])
        given = f"given: {', '.join(self.terms)}"
        if name in vocabulary.BY_NAME:
            raise self.text.refused(node, f"{name} is a function: {name}({vocabulary.BY_NAME[name].arguments})")
        raise self.text.refused(node, f"the shape of {name} is not given; {given}; {vocabulary.nearest(name, self.terms)}".rstrip("; "))

    def _attribute(self, node: ast.Attribute) -> Term:
        if (name := self._prefixed(node)) is not None:
            return self._name(name, node)
        term = self.read(node.value)
        if node.attr in ("T", "mT"):
            return self._transposed(term)
        if node.attr == "size":
            return Term(float(math.prod(term.shape)))
        raise self.text.refused(node, f".{node.attr} is not supported; use .T, .size, .shape[0] and functions such as x.sum()")

    def _prefixed(self, node: ast.expr) -> str | None:
        """Return ``sum`` for ``np.sum`` and ``torch.sum``, ``norm`` for ``np.linalg.norm``, or None without a library prefix."""
        if not isinstance(node, ast.Attribute):
            return None
        inner = node.value
        while isinstance(inner, ast.Attribute) and inner.attr in vocabulary.MODULES:
            inner = inner.value
        is_library = isinstance(inner, ast.Name) and inner.id in vocabulary.PREFIXES and inner.id not in self.terms
        return node.attr if is_library else None

    # --- arithmetic

    def _spread(self, *terms: Term, node: ast.expr) -> tuple[list[Any], Shape]:
        """Return the values broadcast to their common shape, as in NumPy."""
        try:
            shape = np.broadcast_shapes(*(term.shape for term in terms))
        except ValueError:
            raise self._misfit(node, *terms) from None
        values = [self.ops.broadcast(term.value, term.shape, shape) if term.shape and term.shape != shape else term.value for term in terms]
        return values, shape

    def _arithmetic(self, kind: type[ast.operator], a: Term, b: Term, node: ast.expr) -> Term:
        operation = _ARITHMETIC[kind]
        if a.number is not None and b.number is not None:
            return self._number(lambda: operation(a.value, b.value), node)
        if kind is ast.Div and b.number == 0:
            raise self.text.refused(node, "division by 0")
        values, shape = self._spread(a, b, node=node)
        return Term(operation(*values), shape)

    def _power(self, a: Term, b: Term, node: ast.expr) -> Term:
        if a.number is not None and b.number is not None:
            return self._number(lambda: a.value**b.value, node)
        if b.number is not None:
            exponent = int(b.number) if b.number == int(b.number) else b.number
            return Term(self.ops.power(a.value, exponent), a.shape)
        if a.number is not None and a.number <= 0:
            raise self.text.refused(node, f"{a.number:g} to a variable power does not exist: the base must be positive")
        values, shape = self._spread(a, b, node=node)
        return Term(self.ops.power(*values), shape)

    def _product(self, a: Term, b: Term, node: ast.expr) -> Term:
        if not a.shape or not b.shape:
            raise self.text.refused(node, f"@ multiplies vectors and matrices, not shapes {list(a.shape)} and {list(b.shape)}: write *")
        if a.shape[-1] != b.shape[0]:
            raise self._misfit(node, a, b)
        shape = a.shape[:-1] + b.shape[1:]
        if len(a.shape) == len(b.shape) == 2:
            return Term(self.ops.mm(a.value, b.value), shape)
        if len(a.shape) == 2:
            return Term(self.ops.mv(a.value, b.value), shape)
        if len(b.shape) == 2:
            return Term(self.ops.mv(self.ops.transpose(b.value), a.value), shape)
        return Term(self.ops.dot(a.value, b.value), shape)

    def _transposed(self, term: Term) -> Term:
        return Term(self.ops.transpose(term.value), term.shape[::-1]) if len(term.shape) == 2 else term

    def _slice(self, term: Term, index: ast.expr, node: ast.expr) -> Term:
        """Evaluate ``x[1:]``, ``X[0]``, ``X[:, 1]``, ``x[:, None]`` and ``x[:, np.newaxis]``."""
        parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
        taken: list[int | slice] = []
        made: list[int] = []  # the shape with the axes of one entry that None adds
        for part in parts:
            if self._is_new_axis(part):
                made.append(1)
                continue
            if len(taken) == len(term.shape):
                raise self.text.refused(node, f"there are more indices than axes of shape {list(term.shape)}")
            size = term.shape[len(taken)]
            one = self._index(part, size, node)
            taken.append(one)
            if isinstance(one, slice):
                made.append(len(range(size)[one]))
        rest = term.shape[len(taken) :]
        taken += [slice(None)] * len(rest)
        shape = tuple(len(range(size)[one]) for one, size in zip(taken, term.shape, strict=True) if isinstance(one, slice))
        if 0 in shape:
            raise self.text.refused(node, f"this selects nothing from shape {list(term.shape)}")
        full = (*made, *rest)
        if len(full) > 2:
            raise self.text.refused(node, f"this has the shape {list(full)}; there are vectors and matrices only")
        value = term.value
        if any(one != slice(None) for one in taken):
            value = self.ops.slice(value, term.shape, tuple(taken))
        return Term(value if full == shape else self.ops.reshape(value, shape, full), full)

    def _is_new_axis(self, part: ast.expr) -> bool:
        return (isinstance(part, ast.Constant) and part.value is None) or self._prefixed(part) == "newaxis"

    def _index(self, part: ast.expr, size: int, node: ast.expr) -> int | slice:
        if isinstance(part, ast.Slice):
            ends = [None if end is None else _whole(end) for end in (part.lower, part.upper, part.step)]
            if any(end is None and written is not None for end, written in zip(ends, (part.lower, part.upper, part.step), strict=True)):
                raise self.text.refused(node, "an index is a whole number")
            if ends[2] is not None and ends[2] <= 0:
                raise self.text.refused(node, "the step of a slice must be positive")
            found = range(size)[slice(*ends)]
            return slice(None) if found == range(size) else slice(found.start, found.stop, found.step)
        place = _whole(part)
        if place is None or not -size <= place < size:
            raise self.text.refused(node, f"an index is a whole number from {-size} to {size - 1}")
        return place % size

    # --- functions

    def _call(self, node: ast.Call) -> Term:
        written, first = self._prefixed(node.func), []
        is_prefixed = written is not None
        if written is None:
            match node.func:
                case ast.Name(id=name):
                    written = name
                case ast.Attribute(value=inner, attr=name):
                    written, first, is_prefixed = name, [inner], True
                case _:
                    raise self.text.refused(node, f"{ast.unparse(node.func)[:60]!r} is not a function")
        word = vocabulary.BY_NAME.get(written)
        if word is None:
            raise self.text.refused(node, f"unknown function {written}; {vocabulary.nearest(written)}".rstrip("; "))
        arguments = [*first, *node.args]
        if word.name in ("max", "min") and len(arguments) == 2 and not is_prefixed and written in ("max", "min"):
            word = vocabulary.BY_NAME["maximum" if word.name == "max" else "minimum"]
        given = self._arguments(word, arguments, node)
        return FUNCTIONS[word.name](self, node, **given)

    def _arguments(self, word: vocabulary.Function, arguments: list[ast.expr], node: ast.Call) -> dict[str, Any]:
        """Return the arguments by their names in the vocabulary. Operands are evaluated."""
        names = word.arguments.split(", ")
        takes = f"{word.name} takes {word.arguments}"
        if len(arguments) > len(names) or any(isinstance(argument, ast.Starred) for argument in arguments):
            raise self.text.refused(node, f"{takes}, not {len(arguments)} arguments")
        given: dict[str, ast.expr] = dict(zip(names, arguments, strict=False))
        for keyed in node.keywords:
            name = _KEYWORDS.get(keyed.arg or "**", keyed.arg or "**")
            if name not in names or name in given:
                raise self.text.refused(node, f"{takes}, not {keyed.arg or '**'}=")
            given[name] = keyed.value
        operands = [name for name in names if name in _OPERANDS - _BOUNDS]
        if lacking := [name for name in operands if name not in given]:
            raise self.text.refused(node, f"{takes}: {lacking[0]} is missing")
        given = {
            name: value
            for name, value in given.items()
            if not (name in _BOUNDS and isinstance(value, ast.Constant) and value.value is None)
        }
        return {name: self.read(value) if name in _OPERANDS else self._option(name, value, node) for name, value in given.items()}

    def _option(self, name: str, value: ast.expr, node: ast.expr) -> Any:
        """Return ``axis``, ``keepdims``, ``ord`` or ``ddof`` as a Python value."""
        if name == "axis":
            axes = [_whole(part) for part in value.elts] if isinstance(value, ast.Tuple) else [_whole(value)]
            if isinstance(value, ast.Constant) and value.value is None:
                return None
            if None in axes or not axes:
                raise self.text.refused(node, f"axis={ast.unparse(value)[:40]}: an axis is a whole number")
            return tuple(axes)
        if name == "keepdims" and isinstance(value, ast.Constant) and isinstance(value.value, bool):
            return value.value
        if name == "ord":
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                return value.value
            if ast.unparse(value).rpartition(".")[2] in ("inf", "Inf"):
                return math.inf
            return self.read(value).number
        if name == "ddof" and _whole(value) is not None:
            return _whole(value)
        raise self.text.refused(node, f"{name}={ast.unparse(value)[:40]} is not supported")

    def each(self, name: str, x: Term, node: ast.expr) -> Term:
        """Apply a function element-wise. A constant is evaluated at once."""
        if x.number is not None:
            from myths.hessian_cost.ops import calculus_ops
            from myths.hessian_cost.tensor_calculus.simplify import number

            return self._number(lambda: number(getattr(calculus_ops(), name)(float(x.value))), node)
        return Term(getattr(self.ops, name)(x.value), x.shape)

    def pair(self, name: str, x: Term, y: Term, node: ast.expr) -> Term:
        """Return the element-wise maximum or minimum of two terms."""
        if x.number is not None and y.number is not None:
            return Term((max if name == "maximum" else min)(x.number, y.number))
        values, shape = self._spread(x, y, node=node)
        return Term(getattr(self.ops, name)(*values), shape)

    def axes(self, x: Term, axis: Shape | None, node: ast.expr) -> Shape:
        """Return the axes as non-negative numbers."""
        order = len(x.shape)
        if axis is None:
            return tuple(range(order))
        if any(not -order <= one < order for one in axis) or len({one % order for one in axis}) < len(axis):
            raise self.text.refused(node, f"axis={', '.join(map(str, axis))}: the shape is {list(x.shape)}")
        return tuple(sorted(one % order for one in axis))

    def along(self, name: str, x: Term, axis: Shape | None, keepdims: bool, node: ast.expr) -> Term:
        """Reduce a term along some axes."""
        axes = self.axes(x, axis, node)
        if not axes:
            return x
        shape = tuple(size for place, size in enumerate(x.shape) if place not in axes)
        value = getattr(self.ops, name)(x.value) if not shape else getattr(self.ops, name)(x.value, axes)
        if not keepdims:
            return Term(value, shape)
        kept = tuple(1 if place in axes else size for place, size in enumerate(x.shape))
        return Term(self.ops.reshape(value, shape, kept), kept)

    def matrix(self, x: Term, node: ast.expr) -> Term:
        """Return a square matrix unchanged. Refuse any other shape."""
        if len(x.shape) != 2 or x.shape[0] != x.shape[1]:
            raise self.text.refused(node, f"this needs a square matrix, not shape {list(x.shape)}")
        return x

    def _misfit(self, node: ast.expr, *terms: Term) -> UsageError:
        shapes = " and ".join(str(list(term.shape)) for term in terms)
        return self.text.refused(node, f"the shapes {shapes} do not match in {ast.unparse(node)[:60]!r}")


_BOUNDS = frozenset({"low", "high"})
"""Operands that may be absent or None."""
_OPERANDS = frozenset({"x", "y", "A", "b", "n"}) | _BOUNDS
_KEYWORDS = {
    "dim": "axis",
    "keepdim": "keepdims",
    "p": "ord",
    "correction": "ddof",
    "min": "low",
    "max": "high",
    "a_min": "low",
    "a_max": "high",
}


def _whole(node: ast.expr) -> int | None:
    """Return a literal integer, or None."""
    match node:
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)) if not isinstance(value, bool):
            return -value
    return None


# --- what each function of the vocabulary does with the terms that it is given

_Apply = Callable[..., Term]
FUNCTIONS: dict[str, _Apply] = {}


def _for(*names: str) -> Callable[[_Apply], _Apply]:
    def register(function: _Apply) -> _Apply:
        for name in names:
            FUNCTIONS[name] = functools.partial(function, name) if len(names) > 1 else function
        return function

    return register


def _times(r: FormulaEvaluator, factor: float, x: Term, node: ast.expr) -> Term:
    return r._arithmetic(ast.Mult, Term(factor), x, node)


@_for(
    "exp",
    "expm1",
    "log",
    "log1p",
    "sqrt",
    "abs",
    "sign",
    "sin",
    "cos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "erf",
    "lgamma",
    "sigmoid",
    "softplus",
    "relu",
)
def _each(name: str, r: FormulaEvaluator, node: ast.Call, x: Term) -> Term:
    return r.each(name, x, node)


@_for("log2", "log10")
def _log_to(name: str, r: FormulaEvaluator, node: ast.Call, x: Term) -> Term:
    return _times(r, 1 / math.log(float(name[3:])), r.each("log", x, node), node)


@_for("square", "reciprocal")
def _whole_power(name: str, r: FormulaEvaluator, node: ast.Call, x: Term) -> Term:
    return r._power(x, Term(2 if name == "square" else -1), node)


@_for("tan")
def _tan(r: FormulaEvaluator, node: ast.Call, x: Term) -> Term:
    return r._arithmetic(ast.Div, r.each("sin", x, node), r.each("cos", x, node), node)


@_for("logsigmoid")
def _logsigmoid(r: FormulaEvaluator, node: ast.Call, x: Term) -> Term:
    return _times(r, -1.0, r.each("softplus", _times(r, -1.0, x, node), node), node)


@_for("maximum", "minimum")
def _pair(name: str, r: FormulaEvaluator, node: ast.Call, x: Term, y: Term) -> Term:
    return r.pair(name, x, y, node)


@_for("clip")
def _clip(r: FormulaEvaluator, node: ast.Call, x: Term, low: Term | None = None, high: Term | None = None) -> Term:
    if low is None and high is None:
        raise r.text.refused(node, "clip takes x, low, high: give low, high or both")
    x = x if low is None else r.pair("maximum", x, low, node)
    return x if high is None else r.pair("minimum", x, high, node)


@_for("logaddexp")
def _logaddexp(r: FormulaEvaluator, node: ast.Call, x: Term, y: Term) -> Term:
    gap = r._arithmetic(ast.Sub, y, x, node)
    return r._arithmetic(ast.Add, x, r.each("softplus", gap, node), node)


@_for("power")
def _to_the(r: FormulaEvaluator, node: ast.Call, x: Term, y: Term) -> Term:
    return r._power(x, y, node)


@_for(*_OPERATORS)
def _operator(name: str, r: FormulaEvaluator, node: ast.Call, x: Term, y: Term) -> Term:
    return r._arithmetic(_OPERATORS[name], x, y, node)


@_for("dot")
def _dot(r: FormulaEvaluator, node: ast.Call, x: Term, y: Term) -> Term:
    return r._product(x, y, node) if x.shape and y.shape else r._arithmetic(ast.Mult, x, y, node)


@_for("outer")
def _outer(r: FormulaEvaluator, node: ast.Call, x: Term, y: Term) -> Term:
    if len(x.shape) != 1 or len(y.shape) != 1:
        raise r._misfit(node, x, y)
    return Term(r.ops.outer(x.value, y.value), x.shape + y.shape)


@_for("solve")
def _solve(r: FormulaEvaluator, node: ast.Call, A: Term, b: Term) -> Term:
    r.matrix(A, node)
    if not b.shape or b.shape[0] != A.shape[0]:
        raise r._misfit(node, A, b)
    return Term((r.ops.solve if len(b.shape) == 1 else r.ops.solve_many)(A.value, b.value), b.shape)


@_for("sum", "logsumexp", "max")
def _along(name: str, r: FormulaEvaluator, node: ast.Call, x: Term, axis: Shape | None = None, keepdims: bool = False) -> Term:
    return r.along(name, x, axis, keepdims, node)


@_for("min")
def _min(r: FormulaEvaluator, node: ast.Call, x: Term, axis: Shape | None = None, keepdims: bool = False) -> Term:
    return _times(r, -1.0, r.along("max", _times(r, -1.0, x, node), axis, keepdims, node), node)


@_for("mean")
def _mean(r: FormulaEvaluator, node: ast.Call, x: Term, axis: Shape | None = None, keepdims: bool = False) -> Term:
    count = math.prod(x.shape[place] for place in r.axes(x, axis, node))
    return _times(r, 1 / count, r.along("sum", x, axis, keepdims, node), node)


@_for("var")
def _var(r: FormulaEvaluator, node: ast.Call, x: Term, axis: Shape | None = None, keepdims: bool = False, ddof: int = 0) -> Term:
    count = math.prod(x.shape[place] for place in r.axes(x, axis, node))
    if count <= ddof:
        raise r.text.refused(node, f"the variance of {count} entries with ddof={ddof} does not exist")
    from_mean = r._arithmetic(ast.Sub, x, _mean(r, node, x, axis, True), node)
    return _times(r, 1 / (count - ddof), r.along("sum", r._power(from_mean, Term(2), node), axis, keepdims, node), node)


@_for("std")
def _std(r: FormulaEvaluator, node: ast.Call, x: Term, axis: Shape | None = None, keepdims: bool = False, ddof: int = 0) -> Term:
    return r.each("sqrt", _var(r, node, x, axis, keepdims, ddof), node)


@_for("softmax")
def _softmax(r: FormulaEvaluator, node: ast.Call, x: Term, axis: Shape | None = None) -> Term:
    axes = _one_axis(r, node, x, axis)
    return Term(r.ops.softmax(x.value, axes), x.shape) if axes else Term(1.0)


@_for("log_softmax")
def _log_softmax(r: FormulaEvaluator, node: ast.Call, x: Term, axis: Shape | None = None) -> Term:
    return r._arithmetic(ast.Sub, x, r.along("logsumexp", x, _one_axis(r, node, x, axis), True, node), node)


def _one_axis(r: FormulaEvaluator, node: ast.Call, x: Term, axis: Shape | None) -> Shape:
    axes = r.axes(x, axis, node)
    if len(axes) > 1:
        raise r.text.refused(node, f"specify an axis of shape {list(x.shape)}: axis=0 or axis=1")
    return axes


@_for("norm")
def _norm(
    r: FormulaEvaluator, node: ast.Call, x: Term, ord: float | str | None = None, axis: Shape | None = None, keepdims: bool = False
) -> Term:
    if len(x.shape) == 2 and axis is None and ord not in (None, "fro"):  # a matrix norm: the largest sum of a column or row
        if ord not in (1, math.inf):
            raise r.text.refused(node, f"norm of a matrix has ord 'fro', 1 or inf, not {ord}; or axis=")
        sums = r.along("sum", r.each("abs", x, node), (0 if ord == 1 else 1,), False, node)
        return r.along("max", sums, None, False, node)
    order = 2.0 if ord in (None, "fro") else ord
    if not isinstance(order, int | float) or not order > 0:
        raise r.text.refused(node, f"norm has ord 2, 1, inf, 'fro' or a number > 0, not {ord}")
    if order == 2:
        return r.each("sqrt", r.along("sum", r._power(x, Term(2), node), axis, keepdims, node), node)
    size = r.each("abs", x, node)
    if order == math.inf:
        return r.along("max", size, axis, keepdims, node)
    total = size if order == 1 else r._power(size, Term(order), node)
    total = r.along("sum", total, axis, keepdims, node)
    return total if order == 1 else r._power(total, Term(1 / order), node)


@_for("trace", "det", "logdet", "inv")
def _of_square(name: str, r: FormulaEvaluator, node: ast.Call, A: Term) -> Term:
    r.matrix(A, node)
    return Term(getattr(r.ops, name)(A.value), A.shape if name == "inv" else ())


@_for("transpose")
def _transpose(r: FormulaEvaluator, node: ast.Call, A: Term) -> Term:
    return r._transposed(A)


@_for("diagonal")
def _diagonal(r: FormulaEvaluator, node: ast.Call, x: Term) -> Term:
    if len(x.shape) == 1:
        return Term(r.ops.diagonal(x.value), 2 * x.shape)
    return Term(r.ops.diagonal_of(r.matrix(x, node).value), x.shape[:1])


@_for("eye")
def _eye(r: FormulaEvaluator, node: ast.Call, n: Term) -> Term:
    if n.number is None or n.number != int(n.number) or not 1 <= n.number <= MAX_ENTRIES**0.5:
        raise r.text.refused(node, "eye takes a whole number that stands in the formula, such as eye(3) or eye(len(x))")
    return Term(r.ops.eye(int(n.number), r.terms[r.by].value), 2 * (int(n.number),))


@_for("len")
def _len(r: FormulaEvaluator, node: ast.Call, x: Term) -> Term:
    if not x.shape:
        raise r.text.refused(node, "a number has no length")
    return Term(float(x.shape[0]))


assert FUNCTIONS.keys() == {word.name for word in vocabulary.FUNCTIONS}
