"""Constructors of expressions: variables, index notation and functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from myths.hessian_cost.tensor_calculus import simplify
from myths.hessian_cost.tensor_calculus.errors import AxesError, TensorError
from myths.hessian_cost.tensor_calculus.expression import Expression, Selection, Variable, intern, operator

Operand = Any  # Expression, Indexed or a number; anything else is refused with an AxesError


def variable(name: str, axes: str = "") -> Variable:
    """Return an input that can be differentiated by.

    Args:
        name: Identifier that starts with a letter.
        axes: Names of the axes. ``"mn"`` has the axes m and n; ``"samples features"`` has longer names. Axes with equal names have equal
            sizes. A number such as ``"3"`` is its own size.

    A derivative by a matrix treats every entry as independent. A variable can therefore not be declared symmetric: S[ij] S[ji] and S[ij]²
    have
    different derivatives.
    """
    return _input(name, axes, False, False)


def constant(name: str, axes: str = "", symmetric: bool = False) -> Variable:
    """Return an input that cannot be differentiated by.

    Args:
        name: Identifier that starts with a letter.
        axes: Names of the axes, as for ``variable``.
        symmetric: Declare that a matrix equals its transpose.

    Raises:
        AxesError: ``symmetric`` is set, but the input does not have two equal axes.
    """
    return _input(name, axes, True, symmetric)


def _input(name: str, axes: str, is_constant: bool, symmetric: bool) -> Variable:
    names = _axes(axes)
    if symmetric and (len(names) != 2 or names[0] != names[1]):
        raise AxesError(f"{name} cannot be symmetric: it has axes {list(names)}, not two equal ones")
    return intern(Variable, _name(name), names, is_constant, symmetric)


def _axes(axes: str) -> tuple[str, ...]:
    return tuple(axes.split()) if " " in axes or axes.isdigit() else tuple(axes)


def _name(name: str) -> str:
    if not name.isidentifier() or name.startswith("_"):
        raise TensorError(f"a variable's name must be an identifier that begins with a letter, not {name!r}")
    return name


def number(value: float) -> Expression:
    """Return a number as a scalar expression."""
    return simplify.constant_like((), value)


def ones(axes: str) -> Expression:
    """Return the tensor of ones with these axes."""
    return simplify.constant_like(_axes(axes), 1.0)


def identity(axes: str) -> Expression:
    """Return the unit tensor δ [*axes *axes]. ``identity("n")`` is the n×n identity matrix."""
    return simplify.unit(_axes(axes))


@dataclass(frozen=True, eq=False)
class Indexed:
    """A product of tensors with index names.

    Repeated indices are summed (Einstein's convention). The other indices remain in the order of their first occurrence. Use ``to`` to
    choose
    the output indices.
    """

    factors: tuple[tuple[Expression, str], ...]
    __array_ufunc__ = None

    @property
    def free(self) -> str:
        """The indices that occur once."""
        written = "".join(indices for _, indices in self.factors)
        return "".join(index for index in written if written.count(index) == 1)

    def to(self, indices: str) -> Expression:
        """Return the expression with these axes. Other indices are summed; an index given twice is a diagonal."""
        return einsum(",".join(own for _, own in self.factors) + "->" + indices, *(factor for factor, _ in self.factors))

    def _joined(self, other: Operand, sign: float) -> Indexed:
        mine, theirs = self.free, other.free if isinstance(other, Indexed) else ""
        if not isinstance(other, Indexed) and as_expression(other).order:
            raise AxesError(f"{as_expression(other)} needs index names beside [{mine}]")
        wide, narrow = (mine, theirs) if len(mine) >= len(theirs) else (theirs, mine)
        if not set(narrow) <= set(wide):
            raise AxesError(f"cannot add indices [{theirs}] to [{mine}]")
        left, right = self.to(mine), other.to(theirs) if isinstance(other, Indexed) else as_expression(other)
        dims: dict[simplify.Label, str] = dict([*zip(mine, left.axes, strict=True), *zip(theirs, right.axes, strict=True)])
        terms = [(left, mine, 1.0), (right, theirs, sign)]
        total = simplify.add(simplify.contract(wide, [(term, tuple(own))], c, dims) for term, own, c in terms)
        return Indexed(((total, wide),))

    def __mul__(self, other: Operand) -> Indexed:
        if not isinstance(other, Indexed):
            if as_expression(other).order:
                raise AxesError(f"{as_expression(other)} needs index names beside [{self.free}]")
            other = Indexed(((as_expression(other), ""),))
        return Indexed(self.factors + other.factors)

    __rmul__ = __mul__

    def __add__(self, other: Operand) -> Indexed:
        return self._joined(other, 1.0)

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Indexed:
        return self._joined(other, -1.0)

    def __rsub__(self, other: Operand) -> Indexed:
        return (-self)._joined(other, 1.0)

    def __neg__(self) -> Indexed:
        return self * -1.0

    def __pow__(self, exponent: float) -> Indexed:
        return Indexed(((simplify.power(self.to(self.free), float(exponent)), self.free),))

    def __truediv__(self, other: Operand) -> Indexed:
        return self * as_expression(other) ** -1

    def __str__(self) -> str:
        return str(self.to(self.free))

    __repr__ = __str__


@operator
def indexed(tensor: Expression, indices: str) -> Indexed:
    """Return ``tensor[indices]`` with one letter per axis.

    Raises:
        AxesError: The number of letters differs from the number of axes.
    """
    if not isinstance(indices, str) or len(indices) != tensor.order:
        raise AxesError(f"{tensor} has {tensor.order} axes {list(tensor.axes)}, which indices {indices!r} do not name")
    return Indexed(((tensor, indices),))


def as_expression(value: Operand) -> Expression:
    """Return an expression unchanged, an indexed product with its free indices, or a number as a scalar.

    Raises:
        AxesError: The value is none of these.
    """
    if isinstance(value, Expression):
        return value
    if isinstance(value, Indexed):
        return value.to(value.free)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(float(value))
    raise AxesError(
        f"not an expression or a number: {type(value).__name__}; give arrays a name with constant(…) and their value at evaluation"
    )


def einsum(spec: str, *operands: Operand) -> Expression:
    """Return the product C = A *_(s1,s2,s3) B of Laue et al. (AAAI 2020) for any number of factors, for example ``einsum("ij,j->i", A,
    x)``.

    The axes are the indices after the arrow. All other indices are summed; an index given twice after the arrow is a diagonal.

    Raises:
        AxesError: Indices and axes do not match.
    """
    inputs, arrow, out = spec.replace(" ", "").partition("->")
    parts = inputs.split(",")
    factors = [as_expression(operand) for operand in operands]
    if not arrow or len(parts) != len(factors):
        raise AxesError(f"{spec!r} must name the indices of {len(factors)} factors and, after ->, of the result")
    dims: dict[str, tuple[str, Expression]] = {}
    for own, factor in zip(parts, factors, strict=True):
        indexed(factor, own)
        for index, axis in zip(own, factor.axes, strict=True):
            first = dims.setdefault(index, (axis, factor))
            if first[0] != axis:
                raise AxesError(f"index {index} of {spec!r} is axis {first[0]!r} of {first[1]}, but axis {axis!r} of {factor}")
    if unknown := set(out) - set(dims):
        raise AxesError(f"index {min(unknown)} of the result is in no factor of {spec!r}")
    return simplify.contract(out, [(factor, tuple(own)) for own, factor in zip(parts, factors, strict=True)])


def _elementwise_pair(left: Operand, right: Operand, verb: str) -> tuple[Expression, Expression]:
    """Return two operands with equal axes. A scalar takes the axes of the other operand."""
    a, b = as_expression(left), as_expression(right)
    if a.axes != b.axes and a.order and b.order:
        raise AxesError(f"cannot {verb} {a} of axes {list(a.axes)} and {b} of axes {list(b.axes)}; write the indices: a[...] and b[...]")
    axes = a.axes or b.axes
    spread = [x if x.axes == axes else simplify.contract(range(len(axes)), [(x, ())], 1.0, dict(enumerate(axes))) for x in (a, b)]
    return spread[0], spread[1]


@operator
def add(left: Operand, right: Operand) -> Any:
    """Return left + right."""
    if isinstance(right, Indexed):
        return right + left
    return simplify.add(_elementwise_pair(left, right, "add"))


@operator
def subtract(left: Operand, right: Operand) -> Any:
    """Return left − right."""
    if isinstance(right, Indexed):
        return (-right) + left
    a, b = _elementwise_pair(left, right, "subtract")
    return simplify.add([a, simplify.scale(-1.0, b)])


@operator
def multiply(left: Operand, right: Operand) -> Any:
    """Return left · right, element-wise."""
    if isinstance(right, Indexed):
        return right * left
    a, b = _elementwise_pair(left, right, "multiply")
    places = tuple(range(a.order))
    return simplify.contract(places, [(a, places), (b, places)])


@operator
def divide(left: Operand, right: Operand) -> Any:
    """Return left / right, element-wise."""
    return multiply(left, simplify.power(as_expression(right), -1.0))


@operator
def matmul(left: Operand, right: Operand) -> Expression:
    """Return left @ right. The last axis of the left operand is summed with the first of the right."""
    a, b = as_expression(left), as_expression(right)
    if not a.order or not b.order or a.axes[-1] != b.axes[0]:
        raise AxesError(f"cannot sum the last of axes {list(a.axes)} of {a} with the first of axes {list(b.axes)} of {b}")
    mine = tuple(range(a.order))
    theirs = (mine[-1], *range(a.order, a.order + b.order - 1))
    return simplify.contract(mine[:-1] + theirs[1:], [(a, mine), (b, theirs)])


@operator
def power(base: Expression, exponent: Operand) -> Expression:
    """Return base ** exponent, element-wise. The exponent is a number."""
    if not isinstance(exponent, int | float):
        raise TensorError(f"the exponent must be a number, not {exponent}; write exp(b * log(a)) for aᵇ")
    return simplify.power(base, float(exponent))


def _function(name: str, sentence: str) -> Any:
    def apply(x: Operand) -> Expression:
        return simplify.elementwise(name, as_expression(x))

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Return {sentence}, element-wise."
    return apply


exp = _function("exp", "eˣ")
log = _function("log", "the natural logarithm")
sigmoid = _function("sigmoid", "1 / (1 + e⁻ˣ)")
softplus = _function("softplus", "log(1 + eˣ), without overflow")
tanh = _function("tanh", "the hyperbolic tangent")
sin = _function("sin", "the sine")
cos = _function("cos", "the cosine")
sinh = _function("sinh", "the hyperbolic sine")
cosh = _function("cosh", "the hyperbolic cosine")
arctan = _function("arctan", "the inverse tangent")
erf = _function("erf", "the error function 2/√π ∫₀ˣ exp(−t²) dt")
lgamma = _function("lgamma", "log Γ(x) of x > 0")
log1p = _function("log1p", "log(1 + x), exact for small x")
expm1 = _function("expm1", "eˣ − 1, exact for small x")
abs = _function("abs", "|x|, whose derivative at 0 is 0 by convention (as in torch)")
sign = _function("sign", "1, 0 or −1 by the sign of x; its derivative is 0")
heaviside = _function("heaviside", "1 for x > 0, ½ at 0, 0 for x < 0; its derivative is 0")
relu = _function("relu", "max(x, 0), whose derivative is 1 for x > 0 and, by convention, 0 for x ≤ 0 (as in torch)")


def maximum(left: Operand, right: Operand) -> Expression:
    """Return the element-wise maximum. Equal entries share the derivative equally, as in torch."""
    a, b = _elementwise_pair(left, right, "compare")
    wins = heaviside(subtract(a, b))
    return add(multiply(a, wins), multiply(b, subtract(1.0, wins)))


def minimum(left: Operand, right: Operand) -> Expression:
    """Return the element-wise minimum. Equal entries share the derivative equally, as in torch."""
    a, b = _elementwise_pair(left, right, "compare")
    loses = heaviside(subtract(a, b))
    return add(multiply(b, loses), multiply(a, subtract(1.0, loses)))


def logsumexp(x: Operand, along: int | None = None) -> Expression:
    """Return log Σ exp(x) over the last ``along`` axes (default: all) without overflow. These axes are removed."""
    return _along("logsumexp", x, along)


def softmax(x: Operand, along: int | None = None) -> Expression:
    """Return exp(x) / Σ exp(x) over the last ``along`` axes (default: all) without overflow."""
    return _along("softmax", x, along)


def largest(x: Operand, along: int | None = None) -> Expression:
    """Return the largest entry along the last ``along`` axes (default: all). These axes are removed.

    Equal largest entries share the derivative equally, as in torch.amax.
    """
    return _along("max", x, along)


def _along(function: str, x: Operand, along: int | None) -> Expression:
    tensor = as_expression(x)
    count = tensor.order if along is None else along
    if not 0 <= count <= tensor.order:
        raise AxesError(f"{function} along {along} axes: {tensor} has {tensor.order}")
    return simplify.axis_function(function, tensor, count)


def selection(start: int, step: int, rows: int, columns: int) -> Expression:
    """Return the 0-1 matrix [rows columns] that selects ``rows`` entries start, start + step, … of a vector of length ``columns``."""
    return intern(Selection, start, step, (str(rows), str(columns)))


def sqrt(x: Operand) -> Expression:
    """Return the element-wise square root."""
    return simplify.power(as_expression(x), 0.5)


def reciprocal(x: Operand) -> Expression:
    """Return 1/x element-wise."""
    return simplify.power(as_expression(x), -1.0)


def sum_of_squares(x: Operand) -> Expression:
    """Return ‖x‖², the squared Frobenius norm, as a scalar."""
    return simplify.power(as_expression(x), 2.0).sum()


def norm(x: Operand) -> Expression:
    """Return ‖x‖, the Frobenius norm, as a scalar. It is not differentiable at 0."""
    return sqrt(sum_of_squares(x))


def trace(a: Operand) -> Expression:
    """Return Σᵢ a[ii] as a scalar."""
    return einsum("ii->", a)


def diag(x: Operand) -> Expression:
    """Return the matrix [n n] with x [n] on its diagonal."""
    return einsum("i->ii", x)


def inverse(a: Operand) -> Expression:
    """Return the inverse [n n] of a square matrix."""
    return simplify.matrix_function("inverse", as_expression(a))


def det(a: Operand) -> Expression:
    """Return the determinant of a square matrix as a scalar. Its derivative det(A) A⁻ᵀ requires a regular matrix."""
    return simplify.matrix_function("det", as_expression(a))


def logdet(a: Operand) -> Expression:
    """Return log |det a| of a square matrix as a scalar. It is −∞ for a singular matrix."""
    return simplify.matrix_function("logdet", as_expression(a))
