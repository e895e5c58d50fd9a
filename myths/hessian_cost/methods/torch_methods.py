"""PyTorch: the hand-derived closed form, the row loop of 2018, and newer functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from myths.hessian_cost.methods.method import Call, Dtype, Method, Prepare
from myths.hessian_cost.ops import torch_ops
from myths.hessian_cost.problems import DerivedProblem, Inputs, Problem

if TYPE_CHECKING:
    from torch import Tensor

    Scalar = Callable[[Tensor], Tensor]


def tensors(inputs: Inputs, dtype: Dtype, device: str) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the variable and the constants by name, on the device."""
    import torch

    there = {name: torch.as_tensor(value, dtype=getattr(torch, dtype), device=device) for name, value in inputs.items()}
    return there.pop("x"), there


def closed_form(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
    """Prepare the hand-derived closed-form Hessian."""
    assert isinstance(problem, DerivedProblem)
    x, constants = tensors(inputs, dtype, device)
    return lambda: problem.hessian(x, constants)


def closed_form_gradient(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
    """Prepare the hand-derived closed-form gradient."""
    assert isinstance(problem, DerivedProblem)
    x, constants = tensors(inputs, dtype, device)
    return lambda: problem.gradient(x, constants)


def row_loop(f: Scalar, x: Tensor) -> Tensor:
    """Return the Hessian [n n], with one backward pass per entry of the gradient. Frameworks offered nothing else in 2018."""
    x = x.detach().requires_grad_()
    return _rows(_gradient_entries(f, x), x, range(x.numel()))


def sampled_row_loop(problem: Problem, inputs: Inputs, dtype: Dtype, device: str, rows: Sequence[int]) -> tuple[Call, Call]:
    """Prepare the row loop in two parts: the gradient with its graph, and some rows of the Hessian from this graph.

    The time of the whole loop is that of the first part and, for each row, that of the second over the number of its rows.
    """
    (x, constants), ops = tensors(inputs, dtype, device), torch_ops()
    x = x.detach().requires_grad_()

    def gradient() -> Tensor:
        return _gradient_entries(lambda at: problem.value(ops, at, constants), x)

    entries = gradient()
    return gradient, lambda: _rows(entries, x, rows)


def _gradient_entries(f: Scalar, x: Tensor) -> Tensor:
    """Return the gradient as a vector with its graph."""
    import torch

    (gradient,) = torch.autograd.grad(f(x), x, create_graph=True)
    return gradient.flatten()


def _rows(entries: Tensor, x: Tensor, rows: Iterable[int]) -> Tensor:
    """Return rows of the Hessian. Entries are indexed one by one: the backward pass of unbind touches all entries for each row."""
    import torch

    return torch.stack([torch.autograd.grad(entries[i], x, retain_graph=True)[0].flatten() for i in rows])


def _functional(vectorize: bool) -> Callable[[Scalar, Tensor], Any]:
    def hessian(f: Scalar, x: Tensor) -> Any:
        import torch

        return torch.autograd.functional.hessian(f, x, vectorize=vectorize)

    return hessian


def _func(f: Scalar, x: Tensor) -> Any:
    import torch

    return torch.func.hessian(f)(x)


def _jacrev_jacrev(f: Scalar, x: Tensor) -> Any:
    import torch

    return torch.func.jacrev(torch.func.jacrev(f))(x)


def _gradient(f: Scalar, x: Tensor) -> Any:
    import torch

    x = x.detach().requires_grad_()
    return torch.autograd.grad(f(x), x)[0]


def _with(derive: Callable[[Scalar, Tensor], Any]) -> Prepare:
    def prepare(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
        (x, constants), ops = tensors(inputs, dtype, device), torch_ops()
        return lambda: derive(lambda at: problem.value(ops, at, constants), x)

    return prepare


def _compiled(problem: Problem, inputs: Inputs, dtype: Dtype, device: str) -> Call:
    import torch

    (x, constants), ops = tensors(inputs, dtype, device), torch_ops()
    hessian = torch.compile(torch.func.hessian(lambda at, c: problem.value(ops, at, c)))
    return lambda: hessian(x, constants)


CLOSED_FORM = Method(
    name="closed-form",
    label="closed form",
    package="torch",
    hessian=closed_form,
    gradient=closed_form_gradient,
    cuda=True,
    bounded_by_closed_form=True,
)
ROW_LOOP = Method(name="torch-loop", label="PyTorch, row loop (2018)", package="torch", hessian=_with(row_loop), cuda=True)
METHODS = (
    ROW_LOOP,
    Method(name="torch-functional", label="autograd.functional.hessian", package="torch", hessian=_with(_functional(False)), cuda=True),
    Method(name="torch-functional-vectorized", label="…, vectorize=True", package="torch", hessian=_with(_functional(True)), cuda=True),
    Method(name="torch-func", label="torch.func.hessian", package="torch", hessian=_with(_func), cuda=True),
    Method(name="torch-jacrev", label="torch.func, jacrev of jacrev", package="torch", hessian=_with(_jacrev_jacrev), cuda=True),
    Method(
        name="torch-compile",
        label="torch.compile of torch.func.hessian",
        package="torch",
        hessian=_compiled,
        cuda=True,
        compiles=True,
        startup_cost=8,
    ),
    Method(name="torch", label="PyTorch", package="torch", gradient=_with(_gradient), cuda=True),
)
