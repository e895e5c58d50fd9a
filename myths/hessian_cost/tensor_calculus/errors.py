"""Errors of the tensor calculus. Each message names the expression and the axis."""

from myths.lab.errors import UsageError


class TensorError(UsageError):
    """Base class of all errors of the tensor calculus."""


class AxesError(TensorError):
    """The axes of parts of an expression do not match."""


class UnknownVariable(TensorError):
    """A variable is not in the expression, has no value, or is a constant."""


class ShapeError(TensorError):
    """The shape of an array does not match the axes of its variable, or two arrays disagree on the size of an axis."""


class NotDifferentiable(TensorError):
    """The expression or its derivative does not exist at this point."""
