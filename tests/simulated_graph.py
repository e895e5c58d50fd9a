"""A CUDA graph on a CPU: the operations of one call of a function, repeated on the same tensors.

As in a CUDA graph, addresses, shapes and host values are those of the recording, and only the contents of tensors change. A function that
depends on a changing host value therefore gives other results, and one that copies a value to the host fails.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

OPERATIONS_THAT_WAIT = {
    "aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero", "aten::equal", "aten::masked_select", "aten::_unique2",
    "aten::unique_dim", "aten::unique_consecutive", "aten::bincount",
}  # fmt: skip
METHODS_THAT_WAIT = {"item", "tolist", "cpu", "numpy", "__array__", "__bool__", "__int__", "__float__", "__index__", "pin_memory"}


class Waited(RuntimeError):
    """The host would wait for the device."""


class NoWaiting(TorchFunctionMode):
    """Refuse the methods of tensors that wait for the device."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if (name := getattr(func, "__name__", "")) in METHODS_THAT_WAIT:
            raise Waited(name)
        return func(*args, **(kwargs or {}))


class Operations(TorchDispatchMode):
    """Collect operations with their arguments and results, and refuse those that wait for the device."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        masked = func.name().startswith("aten::index") and any(getattr(i, "dtype", None) is torch.bool for i in tree_leaves(args[1:2]))
        if masked or func.name().partition(".")[0] in OPERATIONS_THAT_WAIT:
            raise Waited(func.name())
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result


class SimulatedGraph:
    """Records a function. Unlike a CUDA graph it runs the function meanwhile, so that the first replay does nothing."""

    recorded = 0

    def __init__(self, function: Callable[[], None]):
        type(self).recorded += 1
        self.operations, self.fresh = Operations(), True
        with NoWaiting(), self.operations:
            function()

    def replay(self) -> None:
        if self.fresh:
            self.fresh = False
            return
        with torch.no_grad():
            for func, args, kwargs, result in self.operations.calls:
                again = func(*args, **kwargs)
                for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                    if isinstance(old, Tensor) and old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                        old.copy_(new)


def simulate(monkeypatch) -> type[SimulatedGraph]:
    """Let training runs record their steps on the CPU, and return the class that counts recordings."""
    from myths.lab import step_recorder

    class Counted(SimulatedGraph):
        recorded = 0

    monkeypatch.setattr(step_recorder, "can_record", lambda device: True)
    monkeypatch.setattr(step_recorder, "record", lambda function, generators, pool: Counted(function).replay)
    return Counted
