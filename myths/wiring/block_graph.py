"""The block graph of a torch module, by torch.fx."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from torch import fx, nn

from myths.lab.counting import counted
from myths.lab.data.user_graphs import MAX_NODES, MIN_NODES
from myths.lab.errors import UsageError
from myths.wiring import graphs
from myths.wiring.graphs import Wiring


@dataclass(frozen=True)
class BlockGraph:
    """The graph of a module.

    Attributes:
        blocks: Name of every node.
        wiring: The graph; two blocks are connected if one reads the output of the other.
    """

    blocks: tuple[str, ...]
    wiring: Wiring


def block_graph(module: object, blocks: object = ()) -> BlockGraph:
    """Return the graph of the blocks of a module.

    A block is a layer with a weight matrix or kernel, an operation that joins two blocks or more (a sum, a concatenation, a product), or a
    submodule of one of the classes ``blocks``. All other operations, such as activations, pooling and normalization, are part of the edge.
    Directions are dropped.

    Args:
        module: A module that ``torch.fx`` can trace.
        blocks: Class of submodules that count as one block each, or a tuple of classes.

    Raises:
        UsageError: The module cannot be traced, or its graph has too few or too many blocks or is not connected.
    """
    if not isinstance(module, nn.Module):
        raise UsageError(f"module={type(module).__name__}: expected a torch.nn.Module")
    classes = blocks if isinstance(blocks, tuple) else (blocks,)
    if not all(isinstance(each, type) and issubclass(each, nn.Module) for each in classes):
        raise UsageError(f"blocks={blocks!r}: expected classes of modules, such as (nn.TransformerEncoderLayer,)")
    traced = _trace(module, classes)
    submodules = dict(module.named_modules())
    numbers: dict[str, int] = {}
    edges: set[tuple[int, int]] = set()
    read_by: dict[fx.Node, frozenset[int]] = {}  # the blocks whose output a value carries
    for node in traced.nodes:
        sources = frozenset[int]().union(*(read_by[source] for source in node.all_input_nodes))
        is_layer = node.op == "call_module" and _is_block(submodules[str(node.target)], classes)
        if is_layer or (node.op != "output" and len(sources) > 1 and len(node.all_input_nodes) > 1):
            name = str(node.target) if is_layer else node.name
            number = numbers.setdefault(name, len(numbers))  # a layer that is used twice is one block
            edges |= {(source, number) for source in sources if source != number}
            sources = frozenset({number})
        read_by[node] = sources
    return _checked(type(module).__name__, tuple(numbers), edges)


def _trace(module: nn.Module, blocks: tuple[type[nn.Module], ...]) -> fx.Graph:
    class BlockTracer(fx.Tracer):
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return isinstance(m, blocks) or super().is_leaf_module(m, module_qualified_name)

    try:
        return BlockTracer().trace(module)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"torch.fx cannot trace {type(module).__name__} ({type(error).__name__}: {reason}); name the classes of its submodules that it "
            "cannot trace in blocks= (not the module's own), or add the graph as an edge list"
        ) from error


def _is_block(module: nn.Module, blocks: tuple[type[nn.Module], ...]) -> bool:
    return isinstance(module, blocks) or any(parameter.ndim > 1 for parameter in module.parameters())


def _checked(name: str, blocks: tuple[str, ...], edges: Iterable[tuple[int, int]]) -> BlockGraph:
    if not MIN_NODES <= len(blocks) <= MAX_NODES:
        hint = "; name larger submodules in blocks=" if len(blocks) > MAX_NODES else ""
        raise UsageError(f"{name} contains {counted(len(blocks), 'block')}; expected {MIN_NODES} to {MAX_NODES}{hint}")
    wiring = graphs.of_edges(len(blocks), edges)
    apart = np.flatnonzero(np.isinf(graphs.distances(wiring.adjacency)[0]))
    if len(apart):
        raise UsageError(f"{name} is not connected: no path leads from {blocks[0]} to {blocks[apart[0]]}")
    return BlockGraph(blocks, wiring)
