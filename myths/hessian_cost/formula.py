"""A user's formula, such as ``sum(log(1 + exp(-(y * (X @ w)))))``, as a problem for every framework."""

from __future__ import annotations

import keyword
import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.hessian_cost import vocabulary
from myths.hessian_cost.formula_parser import MAX_ENTRIES, FormulaEvaluator, ParsedFormula, Shape, Term
from myths.hessian_cost.problem import Inputs, Problem
from myths.lab.errors import UsageError

if TYPE_CHECKING:
    from myths.hessian_cost.ops import Ops, Shape


class Undefined(UsageError):
    """The function, or its derivative, is undefined at the inputs."""


class Formula(Problem):
    """A scalar function of named numbers, vectors and matrices, to be differentiated by one of them.

    ``vocabulary.listing()`` shows the supported functions. The formula is parsed, not executed as Python.
    """

    def __init__(self, formula: str, by: str, shapes: str = "", symmetric: Iterable[str] = (), arrays: Inputs | None = None):
        """Parse a formula and check its shapes.

        Args:
            formula: The function.
            by: Name of the array by which the function is differentiated.
            shapes: Shapes by name, for example ``"w:512 X:1024,512 a"`` for a vector, a matrix and a number.
            symmetric: Names of matrices that equal their transposes.
            arrays: The user's arrays. ``shapes`` need not repeat their shapes.

        Raises:
            UsageError: The formula cannot be parsed, or shapes do not match.
        """
        self.arrays = arrays
        self.text = ParsedFormula(formula)
        self.formula, self.by = formula.strip(), by
        self.shapes = _shapes(shapes) if arrays is None or shapes else {}
        for name, array in (arrays or {}).items():
            if self.shapes.setdefault(name, array.shape) != array.shape:
                raise UsageError(f"shapes: {name} is {list(self.shapes[name])}, but its array is {list(array.shape)}")
        if arrays is not None:
            self.shapes = {name: shape for name, shape in self.shapes.items() if name in self.text.names or name == by}
            needed = (self.text.names & arrays.keys()) | {by}
            if lacking := (self.shapes.keys() | needed) - arrays.keys():
                raise UsageError(f"inputs have no array {min(lacking)}; they have {', '.join(arrays)}")
            for name in needed:
                if arrays[name].ndim > 2 or not arrays[name].size or not np.isfinite(arrays[name]).all():
                    raise UsageError(f"inputs: {name} has shape {list(arrays[name].shape)}; expected finite numbers with 0 to 2 axes")
        self.symmetric = frozenset(symmetric)
        self._check_sizes()
        self.axes = ", ".join(f"{self._plain(name)}: {' '.join(map(str, shape))}" for name, shape in self.shapes.items())
        self._is_linear = False
        value, x = self.expression()
        if value.axes:
            raise UsageError(
                f"formula={self.formula!r} has shape {list(map(int, value.axes))}, but a Hessian requires a scalar; for example, sum(...)"
            )
        from myths.hessian_cost.tensor_calculus import hessian, simplify

        self._is_linear = simplify.number(hessian(value, x)) == 0

    @staticmethod
    def check_text(formula: str) -> None:
        """Check the syntax of a formula.

        Raises:
            UsageError: The formula is not an expression.
        """
        ParsedFormula(formula)

    def _check_sizes(self) -> None:
        if self.by not in self.shapes:
            raise UsageError(
                f"by={self.by}: no variable {self.by} among {', '.join(self.shapes)}; {vocabulary.nearest(self.by, self.shapes)}"
            )
        for name in self.symmetric:
            shape = self.shapes.get(name)
            if shape is None or len(shape) != 2 or shape[0] != shape[1]:
                raise UsageError(f"symmetric={name}: {name} is {'unknown' if shape is None else list(shape)}, not a square matrix")
        for name, shape in self.shapes.items():
            if (entries := math.prod(shape)) > MAX_ENTRIES:
                raise UsageError(f"shapes: {name} of {list(shape)} has {entries:.3g} entries; the limit is {MAX_ENTRIES:.3g}")
        if (variables := math.prod(self.shapes[self.by])) ** 2 > MAX_ENTRIES:
            raise UsageError(
                f"by={self.by}: {variables:,} variables make a Hessian of {variables**2:.3g} entries; the limit is {MAX_ENTRIES:.3g}, "
                f"that is {math.isqrt(MAX_ENTRIES):,} variables"
            )

    def inputs(self, rng: np.random.Generator) -> Inputs:
        """Return the user's arrays, or random arrays at which the function is defined, as float64.

        Random arrays are standard normal. If the function is undefined there, arrays below a logarithm, root or power are positive or close
        to 0.

        Raises:
            Undefined: The function or its gradient is undefined or not finite for all tried arrays.
        """
        if self.arrays is not None:
            given = {name: np.array(self.arrays[name], dtype=np.float64) for name in self.shapes}
            self.check(given)
            return {self._plain(name): array for name, array in given.items()}
        normal = {name: rng.standard_normal(shape) for name, shape in self.shapes.items()}
        for name in self.symmetric:
            normal[name] = (normal[name] + normal[name].T) / 2
        narrow = self._restricted()
        refused: Undefined | None = None
        for names, draw in ((), _as_it_is), (narrow, _positive), (tuple(normal), _positive), (narrow, _fraction), (narrow, _small):
            drawn = {name: draw(array, name in self.symmetric) if name in names else array for name, array in normal.items()}
            try:
                self.check(drawn)
            except Undefined as error:
                refused = refused or error
                continue
            return {self._plain(name): array for name, array in drawn.items()}
        assert refused is not None
        raise refused

    def check(self, arrays: Inputs) -> None:
        """Evaluate the function and its gradient at arrays given by the user's names.

        Raises:
            Undefined: The function or its gradient is undefined or not finite.
        """
        from myths.hessian_cost import tensor_calculus as tc

        value, x = self.expression(as_written=True)
        compiled = tc.compile((value, tc.gradient(value, x)), "numpy", check=True)
        names = {needed.name for needed in compiled.inputs}
        sizes = {str(size): size for shape in self.shapes.values() for size in shape}
        compiled.sizes = sizes
        try:
            with np.errstate(all="ignore"):
                compiled(**{name: array for name, array in arrays.items() if name in names})
        except (tc.NotDifferentiable, np.linalg.LinAlgError) as error:
            raise Undefined(str(error)) from error

    def value(self, ops: Ops, x: Any, c: Mapping[str, Any]) -> Any:
        """Return f(x) as a scalar."""
        given = {**c, "x": x}
        terms = {name: Term(given[self._plain(name)], shape) for name, shape in self.shapes.items()}
        value = FormulaEvaluator(self.text, ops, terms, self.by).read(self.text.tree).value
        if self._is_linear or isinstance(value, int | float):
            return value + 0.0 * ops.sum(x * x)  # frameworks cannot differentiate a linear function twice
        return value

    def expression(self, as_written: bool = False) -> tuple[Any, Any]:
        """Return f and x as expressions of ``tensor_calculus``. ``as_written`` keeps the user's names, for display."""
        from myths.hessian_cost import tensor_calculus as tc
        from myths.hessian_cost.ops import calculus_ops

        made = {}
        for name, shape in self.shapes.items():
            called, axes = name if as_written else self._plain(name), " ".join(map(str, shape))
            made[self._plain(name)] = tc.variable(called, axes) if name == self.by else tc.constant(called, axes, name in self.symmetric)
        x = made.pop("x")
        return tc.notation.as_expression(self.value(calculus_ops(), x, made)), x

    def _restricted(self) -> tuple[str, ...]:
        """Return the names of arrays below a function with a restricted domain."""
        from myths.hessian_cost.tensor_calculus.expression import Elementwise, variables, walk
        from myths.hessian_cost.tensor_calculus.functions import FUNCTIONS

        value, _ = self.expression(as_written=True)
        narrow = [
            node.argument
            for node in walk(value)
            if isinstance(node, Elementwise)
            and (
                FUNCTIONS[node.function].domain or (node.function == "power" and not (node.parameter >= 0 and node.parameter.is_integer()))
            )
        ]
        return tuple(found.name for found in variables(*narrow)) if narrow else ()

    def _plain(self, name: str) -> str:
        """Return the internal name. The variable is always called x, so a constant called x gets another name."""
        return "x" if name == self.by else f"{name}_" if name == "x" else name


def _as_it_is(z: np.ndarray, symmetric: bool) -> np.ndarray:
    return z


def _positive(z: np.ndarray, symmetric: bool) -> np.ndarray:
    """Return positive numbers, or a positive definite matrix if it is symmetric."""
    return z @ z.T / len(z) + np.eye(len(z)) if symmetric else abs(z) + 0.1


def _fraction(z: np.ndarray, symmetric: bool) -> np.ndarray:
    """Return numbers between 0 and 1."""
    return 1 / (1 + np.exp(-z))


def _small(z: np.ndarray, symmetric: bool) -> np.ndarray:
    """Return numbers whose squares sum to less than 1."""
    return z / (2 * (1 + float(np.linalg.norm(z))))


def _shapes(words: str) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for word in words.split():
        name, _, numbers = word.partition(":")
        name = unicodedata.normalize("NFKC", name)  # as Python normalizes names
        sizes = numbers.split(",") if numbers else []
        if (
            not name.isidentifier()
            or name.strip("_") != name
            or len(sizes) > 2
            or not all(s.isdecimal() and len(s) < 20 and int(s) for s in sizes)
        ):
            raise UsageError(f"shapes: {word[:40]!r} is not a shape; write w:512 for a vector, X:1024,512 for a matrix and a for a number")
        if keyword.iskeyword(name):
            raise UsageError(f"shapes: {name} is a Python keyword; choose another name")
        if name in shapes:
            raise UsageError(f"shapes: {name} has two shapes")
        shapes[name] = tuple(map(int, sizes))
    if not shapes:
        raise UsageError("shapes is empty; for example, shapes='w:512 X:1024,512'")
    return shapes
