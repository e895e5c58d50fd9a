"""Compile and evaluate expressions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from myths.hessian_cost.tensor_calculus.backends import Array, backend_of, operations
from myths.hessian_cost.tensor_calculus.codegen import CodeGenerator
from myths.hessian_cost.tensor_calculus.compressed import Compressed
from myths.hessian_cost.tensor_calculus.errors import NotDifferentiable, ShapeError, UnknownVariable
from myths.hessian_cost.tensor_calculus.expression import Expression, Variable, variables
from myths.hessian_cost.tensor_calculus.program_writer import identifier

Sizes = tuple[tuple[str, int], ...]


@dataclass(eq=False)
class Compiled:
    """A function of named arrays, created by ``compile``. The first call with new shapes generates the program.

    Calls raise UnknownVariable for missing or unknown arrays and ShapeError for inconsistent shapes.

    Attributes:
        inputs: Variables of the function.
    """

    expressions: tuple[Expression, ...]
    single: bool
    backend: str
    inputs: tuple[Variable, ...]
    sizes: Mapping[str, int]
    compressed: bool
    check: bool
    _functions: dict[Sizes, Callable[..., Any]] = field(default_factory=dict)
    _by_shapes: dict[tuple[Any, ...], Callable[..., Any]] = field(default_factory=dict)

    def __call__(self, **arrays: Array) -> Any:
        """Return the value, or a tuple of values, at these arrays."""
        ordered = self._ordered(arrays)
        shapes = tuple([getattr(array, "shape", None) for array in ordered])
        run = self._by_shapes.get(shapes)
        if run is None:
            run = self._by_shapes[shapes] = self.function(dict(self._bind(ordered)))
        return run(*ordered)

    def function(self, sizes: Mapping[str, int]) -> Callable[..., Any]:
        """Return the program for these axis sizes: a plain function of the arrays in the order of ``inputs``, without checks."""
        key = tuple(sorted(sizes.items()))
        if key not in self._functions:
            self._functions[key] = self._build(dict(key))
        return self._functions[key]

    def source(self, **sizes: int) -> str:
        """Return the program for these axis sizes as Python source."""
        return self._write(dict(self.sizes) | sizes)[0]

    def _write(self, sizes: dict[str, int]) -> tuple[str, list[Any]]:
        names = [identifier(x.name) for x in self.inputs]
        program = CodeGenerator(sizes, names[0] if names else "None", guarded=self.check)
        values = [program.value(expression) for expression in self.expressions]
        results = [
            program.scaled(value) if self.compressed else program.dense(node) for node, value in zip(self.expressions, values, strict=True)
        ]
        for node, result in zip(self.expressions, results, strict=True):
            program.guard("finite", result, node)
        shapes = [tuple(program.size(axis, node) for axis in node.axes) for node in self.expressions]
        returned = ", ".join(f"finish({result})" for result in results) + ("" if self.single else ",")
        lines = [
            f"def program({', '.join(names)}):",
            *(f"    {line}" for line in program.with_deletions(results)),
            f"    return {returned}",
        ]
        return "\n".join(lines) + "\n", list(zip(values, shapes, strict=True))

    def _build(self, sizes: dict[str, int]) -> Callable[..., Any]:
        source, layouts = self._write(sizes)
        table = operations(self.backend)
        space: dict[str, Any] = table | {"_guard": _guard}
        exec(source, space)
        run: Callable[..., Any] = space["program"]
        if not self.compressed:
            return run

        def compressed(*arrays: Array) -> Any:
            cores = run(*arrays)
            made = [
                Compressed(core, value.labels, value.out, shape, table)
                for core, (value, shape) in zip([cores] if self.single else cores, layouts, strict=True)
            ]
            return made[0] if self.single else tuple(made)

        return compressed

    def _ordered(self, arrays: Mapping[str, Array]) -> list[Array]:
        try:
            ordered = [arrays[x.name] for x in self.inputs]
        except KeyError as missing:
            raise UnknownVariable(f"{missing} of {self.expressions[0]} has no value") from None
        if len(arrays) > len(ordered):
            unknown = min(set(arrays) - {x.name for x in self.inputs})
            raise UnknownVariable(f"{self.expressions[0]} has no variable {unknown!r}; it has {', '.join(x.name for x in self.inputs)}")
        return ordered

    def _bind(self, arrays: list[Array]) -> Sizes:
        """Return the size of every axis."""
        sizes = dict(self.sizes)
        for x, array in zip(self.inputs, arrays, strict=True):
            shape = getattr(array, "shape", None)
            if shape is None or len(shape) != x.order:
                raise ShapeError(f"{x.name} has axes {list(x.axes)}, its value has shape {None if shape is None else tuple(shape)}")
            for axis, extent in zip(x.axes, shape, strict=True):
                if sizes.setdefault(axis, int(axis) if axis.isdigit() else extent) != extent:
                    raise ShapeError(f"axis {axis!r} is {sizes[axis]} elsewhere, but {extent} in {x.name} of shape {tuple(shape)}")
        return tuple(sorted(sizes.items()))


def compile(
    expression: Expression | Sequence[Expression],
    backend: str = "torch",
    *,
    inputs: Sequence[Variable] | None = None,
    sizes: Mapping[str, int] | None = None,
    compressed: bool = False,
    check: bool = False,
) -> Compiled:
    """Return a function of arrays that computes one or several expressions. Common subexpressions are computed once.

    A result that is only a transpose of an input shares its memory.

    Args:
        expression: One expression, or several.
        backend: "torch", "numpy" or "jax".
        inputs: Variables of the function. Default: those that occur. A Hessian may not depend on x, which still determines its shape.
        sizes: Axis sizes. If they are complete, the program is generated at once and not at the first call.
        compressed: Return Compressed results, which keep their deltas.
        check: Raise NotDifferentiable where an expression does not exist or is not finite. Each check costs a synchronization.

    Raises:
        TensorError: The backend is unknown.
    """
    single = isinstance(expression, Expression)
    roots = (expression,) if isinstance(expression, Expression) else tuple(expression)
    found = variables(*roots)
    taken = found if inputs is None else tuple(inputs)
    if missing := set(found) - set(taken):
        raise UnknownVariable(f"inputs lacks {min(x.name for x in missing)} of {roots[0]}")
    if len({x.name for x in taken}) < len(taken):
        raise UnknownVariable(f"two variables of {roots[0]} have the same name: {sorted(f'{x.name} {list(x.axes)}' for x in taken)}")
    operations(backend)
    compiled = Compiled(roots, single, backend, taken, dict(sizes or {}), compressed, check)
    if sizes and {axis for x in taken for axis in x.axes} <= set(sizes):
        compiled.function(compiled.sizes)
    return compiled


_compile_once = lru_cache(maxsize=256)(
    lambda roots, backend, inputs, sizes, compressed, check: compile(
        roots, backend, inputs=inputs, sizes=dict(sizes), compressed=compressed, check=check
    )
)


def evaluate(
    expression: Expression,
    point: Mapping[Variable, Array] | None = None,
    *,
    backend: str | None = None,
    sizes: Mapping[str, int] | None = None,
    compressed: bool = False,
    check: bool = True,
    **arrays: Array,
) -> Any:
    """Return the value of an expression at a point, with the axes of the expression.

    The arrays determine the backend and the dtype. Programs are cached.

    Args:
        expression: Expression to evaluate.
        point: Arrays by variable (``{w: …}``). It may contain more variables than the expression.
        arrays: Arrays by name (``w=…``).
        sizes: Sizes of axes that no array has.
        backend: Backend. Default: that of the arrays.
        compressed: Return a Compressed result.
        check: Check that the expression exists.

    Raises:
        UnknownVariable: A variable has no value, or a name is unknown.
        ShapeError: Shapes are inconsistent.
        NotDifferentiable: With ``check``: log of x ≤ 0, a negative power of 0, the derivative of a norm at 0, the inverse of a singular
            matrix, or a value that is not finite.
    """
    given = dict(point or {})
    found = variables(expression)
    named = {x.name for x in given}
    inputs = tuple(given) + tuple(x for x in found if x.name not in named)
    backend = backend or backend_of([*given.values(), *arrays.values()])
    compiled = _compile_once(expression, backend, inputs, tuple(sorted((sizes or {}).items())), compressed, check)
    values = {x.name: array for x, array in given.items()} | arrays
    if backend == "numpy":
        import numpy as np

        values = {name: np.asarray(array) for name, array in values.items()}
    return compiled(**values)


def _guard(kind: str, array: Array, written: str) -> None:
    """Check the argument of a function.

    Raises:
        NotDifferentiable: The argument is outside the function's domain or not finite.
    """
    if kind == "invertible":
        if not _invertible(array):
            raise NotDifferentiable(f"the matrix of {written} is singular")
        return
    if kind == "finite":
        if not bool((abs(array) < math.inf).all()):
            raise NotDifferentiable(f"{written} is not finite at this point")
        return
    good = {"positive": array > 0, "above -1": array > -1, "nonnegative": array >= 0, "nonzero": array != 0}[kind]
    if not bool(good.all()):
        raise NotDifferentiable(f"{written} does not exist at this point: its argument must be {kind}")


def _invertible(array: Array) -> bool:
    """Return whether the inverse has a correct digit, by Skeel's condition number, which row and column scaling cannot change."""
    import numpy as np

    host = np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
    matrix = host.astype(np.float64)
    with np.errstate(all="ignore"):
        for axis in (1, 0):
            matrix = matrix / abs(matrix).max(axis=axis, keepdims=True)
        try:
            condition = (abs(np.linalg.inv(matrix)) @ abs(matrix)).sum(axis=1).max()
        except np.linalg.LinAlgError:
            return False
    return bool(condition * np.finfo(host.dtype if host.dtype.kind == "f" else np.float64).eps < 1)
