"""How expressions are written down: variables, index notation, functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from myths.hessian_cost.tensor_calculus import simplify
from myths.hessian_cost.tensor_calculus.errors import AxesError, TensorError
from myths.hessian_cost.tensor_calculus.expression import Expression, Selection, Variable, intern, operator

Operand = Any  # Expression, Indexed or a number; anything else is refused with an AxesError


def variable(name: str, axes: str = "") -> Variable:
    """An input by which one may differentiate. Its shape is its axes: ``"mn"`` is [m n], ``"samples features"`` has longer names.

    Axes of one name have one size; a name that is a number (``"3"``) is its size. A derivative by a matrix is that by each of its
    entries on its own, so that no variable can be promised to be symmetric: S[ij] S[ji] and S[ij]² have different derivatives.
    """
    return _input(name, axes, False, False)


def constant(name: str, axes: str = "", symmetric: bool = False) -> Variable:
    """An input by which nothing is differentiated. Its shape is its axes, as for ``variable``.

    ``symmetric`` promises that a matrix equals its transpose. Raises AxesError when what is symmetric has no two equal axes.
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
    """A number as an expression. Shape []."""
    return simplify.constant_like((), value)


def ones(axes: str) -> Expression:
    """The tensor of ones, of these axes."""
    return simplify.constant_like(_axes(axes), 1.0)


def identity(axes: str) -> Expression:
    """The unit tensor δ. Shape [*axes *axes]: ``identity("n")`` is the n×n identity matrix."""
    return simplify.unit(_axes(axes))


@dataclass(frozen=True, eq=False)
class Indexed:
    """A product of tensors with index names. By itself, an index that is repeated is summed (Einstein's convention)
    and the others remain in the order in which they first occur; ``to`` says it otherwise.
    """

    factors: tuple[tuple[Expression, str], ...]
    __array_ufunc__ = None

    @property
    def free(self) -> str:
        """The indices that occur once."""
        written = "".join(indices for _, indices in self.factors)
        return "".join(index for index in written if written.count(index) == 1)

    def to(self, indices: str) -> Expression:
        """The expression with these axes: every other index is summed, one that is given twice makes a diagonal. Shape: [*indices]."""
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
    """``tensor[indices]``: one letter an axis. Raises AxesError when there are more or fewer."""
    if not isinstance(indices, str) or len(indices) != tensor.order:
        raise AxesError(f"{tensor} has {tensor.order} axes {list(tensor.axes)}, which indices {indices!r} do not name")
    return Indexed(((tensor, indices),))


def as_expression(value: Operand) -> Expression:
    """An expression as it is, an indexed product with its free indices, a number as a scalar. Raises AxesError for anything else."""
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
    """C = A *_(s1,s2,s3) B of Laue et al. (AAAI 2020) for any number of factors: ``einsum("ij,j->i", A, x)``.

    Shape: the axes of the indices after the arrow; every other index is summed; an index given
    twice after the arrow makes a diagonal. Raises AxesError for indices and axes that do not fit.
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
    """Two operands with equal axes; a scalar takes the axes of the other."""
    a, b = as_expression(left), as_expression(right)
    if a.axes != b.axes and a.order and b.order:
        raise AxesError(f"cannot {verb} {a} of axes {list(a.axes)} and {b} of axes {list(b.axes)}; write the indices: a[...] and b[...]")
    axes = a.axes or b.axes
    spread = [x if x.axes == axes else simplify.contract(range(len(axes)), [(x, ())], 1.0, dict(enumerate(axes))) for x in (a, b)]
    return spread[0], spread[1]


@operator
def add(left: Operand, right: Operand) -> Any:
    """left + right."""
    if isinstance(right, Indexed):
        return right + left
    return simplify.add(_elementwise_pair(left, right, "add"))


@operator
def subtract(left: Operand, right: Operand) -> Any:
    """left − right."""
    if isinstance(right, Indexed):
        return (-right) + left
    a, b = _elementwise_pair(left, right, "subtract")
    return simplify.add([a, simplify.scale(-1.0, b)])


@operator
def multiply(left: Operand, right: Operand) -> Any:
    """left · right, element by element."""
    if isinstance(right, Indexed):
        return right * left
    a, b = _elementwise_pair(left, right, "multiply")
    places = tuple(range(a.order))
    return simplify.contract(places, [(a, places), (b, places)])


@operator
def divide(left: Operand, right: Operand) -> Any:
    """left / right, element by element."""
    return multiply(left, simplify.power(as_expression(right), -1.0))


@operator
def matmul(left: Operand, right: Operand) -> Expression:
    """left @ right: the last axis of the left is summed with the first of the right."""
    a, b = as_expression(left), as_expression(right)
    if not a.order or not b.order or a.axes[-1] != b.axes[0]:
        raise AxesError(f"cannot sum the last of axes {list(a.axes)} of {a} with the first of axes {list(b.axes)} of {b}")
    mine = tuple(range(a.order))
    theirs = (mine[-1], *range(a.order, a.order + b.order - 1))
    return simplify.contract(mine[:-1] + theirs[1:], [(a, mine), (b, theirs)])


@operator
def power(base: Expression, exponent: Operand) -> Expression:
    """base ** exponent, element by element; the exponent is a number."""
    if not isinstance(exponent, int | float):
        raise TensorError(f"the exponent must be a number, not {exponent}; write exp(b * log(a)) for aᵇ")
    return simplify.power(base, float(exponent))


def _function(name: str, sentence: str) -> Any:
    def apply(x: Operand) -> Expression:
        return simplify.elementwise(name, as_expression(x))

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"{sentence}, element by element. Shape: that of x."
    return apply


exp = _function("exp", "eˣ")
log = _function("log", "The natural logarithm")
sigmoid = _function("sigmoid", "1 / (1 + e⁻ˣ)")
softplus = _function("softplus", "log(1 + eˣ), without overflow")
tanh = _function("tanh", "The hyperbolic tangent")
sin = _function("sin", "The sine")
cos = _function("cos", "The cosine")
sinh = _function("sinh", "The hyperbolic sine")
cosh = _function("cosh", "The hyperbolic cosine")
arctan = _function("arctan", "The inverse of the tangent")
erf = _function("erf", "The error function 2/√π ∫₀ˣ exp(−t²) dt")
lgamma = _function("lgamma", "log Γ(x) of x > 0")
log1p = _function("log1p", "log(1 + x), exact for small x")
expm1 = _function("expm1", "eˣ − 1, exact for small x")
abs = _function("abs", "|x|, whose derivative at 0 is 0 by convention (as in torch)")
sign = _function("sign", "1, 0 or −1 by the sign of x; its derivative is 0")
heaviside = _function("heaviside", "1 for x > 0, ½ at 0, 0 for x < 0; its derivative is 0")
relu = _function("relu", "max(x, 0), whose derivative is 1 for x > 0 and, by convention, 0 for x ≤ 0 (as in torch)")


def maximum(left: Operand, right: Operand) -> Expression:
    """The larger of two, element by element; where they are equal, each has half of the derivative (as in torch)."""
    a, b = _elementwise_pair(left, right, "compare")
    wins = heaviside(subtract(a, b))
    return add(multiply(a, wins), multiply(b, subtract(1.0, wins)))


def minimum(left: Operand, right: Operand) -> Expression:
    """The smaller of two, element by element; where they are equal, each has half of the derivative (as in torch)."""
    a, b = _elementwise_pair(left, right, "compare")
    loses = heaviside(subtract(a, b))
    return add(multiply(b, loses), multiply(a, subtract(1.0, loses)))


def logsumexp(x: Operand, along: int | None = None) -> Expression:
    """log Σ exp(x) over the last ``along`` axes (all without it), without overflow. Shape: the other axes."""
    return _along("logsumexp", x, along)


def softmax(x: Operand, along: int | None = None) -> Expression:
    """exp(x) / Σ exp(x) over the last ``along`` axes (all without it), without overflow. Shape: that of x."""
    return _along("softmax", x, along)


def largest(x: Operand, along: int | None = None) -> Expression:
    """The largest entry along the last ``along`` axes (all without it). Shape: the other axes.

    Entries that are equally large have equal parts of the derivative, as in torch.amax.
    """
    return _along("max", x, along)


def _along(function: str, x: Operand, along: int | None) -> Expression:
    tensor = as_expression(x)
    count = tensor.order if along is None else along
    if not 0 <= count <= tensor.order:
        raise AxesError(f"{function} along {along} axes: {tensor} has {tensor.order}")
    return simplify.axis_function(function, tensor, count)


def selection(start: int, step: int, rows: int, columns: int) -> Expression:
    """The 0-1 matrix that takes ``rows`` entries start, start + step, … of a vector of length ``columns``. Shape [rows columns]."""
    return intern(Selection, start, step, (str(rows), str(columns)))


def sqrt(x: Operand) -> Expression:
    """The square root, element by element. Shape: that of x."""
    return simplify.power(as_expression(x), 0.5)


def reciprocal(x: Operand) -> Expression:
    """1/x, element by element. Shape: that of x."""
    return simplify.power(as_expression(x), -1.0)


def sum_of_squares(x: Operand) -> Expression:
    """‖x‖², the squared Frobenius norm. Shape []."""
    return simplify.power(as_expression(x), 2.0).sum()


def norm(x: Operand) -> Expression:
    """‖x‖, the Frobenius norm; not differentiable at 0. Shape []."""
    return sqrt(sum_of_squares(x))


def trace(a: Operand) -> Expression:
    """Σᵢ a[ii]. Shape []."""
    return einsum("ii->", a)


def diag(x: Operand) -> Expression:
    """The matrix with x [n] on its diagonal. Shape [n n]."""
    return einsum("i->ii", x)


def inverse(a: Operand) -> Expression:
    """The inverse of a square matrix. Shape [n n]."""
    return simplify.matrix_function("inverse", as_expression(a))


def det(a: Operand) -> Expression:
    """The determinant of a square matrix; its derivative is written det(A) A⁻ᵀ, which needs a regular matrix. Shape []."""
    return simplify.matrix_function("det", as_expression(a))


def logdet(a: Operand) -> Expression:
    """log |det a| of a square matrix; −∞ for a singular one. Shape []."""
    return simplify.matrix_function("logdet", as_expression(a))
