"""What can go wrong; each error names the expression and the axis."""

from myths.lab.errors import UsageError


class TensorError(UsageError):
    """Any error of the tensor calculus."""


class AxesError(TensorError):
    """The axes of the parts of an expression do not fit together."""


class UnknownVariable(TensorError):
    """A variable that the expression does not have, that has no value, or that may not be differentiated by."""


class ShapeError(TensorError):
    """An array's shape disagrees with its variable's axes, or two arrays disagree about the size of an axis."""


class NotDifferentiable(TensorError):
    """The expression, or its derivative, does not exist at this point."""
