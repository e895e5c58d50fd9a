"""The block graph of a torch module: what is a block, what is an edge, and what is refused."""

import pytest
import torch
from torch import nn

from myths import wiring
from myths.lab.errors import UsageError
from myths.wiring.block_graph import block_graph


class Residual(nn.Module):
    """Two blocks with a skip connection around each, between two other layers."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.inner = nn.ModuleList(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()) for _ in range(2))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.first(x)
        for inner in self.inner:
            x = torch.relu(x + inner(x))
        return self.head(x.mean((2, 3)))


def named(found):
    return {frozenset(found.blocks[end] for end in edge) for edge in found.wiring.edges}


def edges(*pairs):
    return {frozenset(pair) for pair in pairs}


def test_layers_with_matrices_and_joining_operations_are_blocks_and_all_else_is_part_of_an_edge():
    found = block_graph(Residual())
    assert found.blocks == ("first", "inner.0.0", "add", "inner.1.0", "add_1", "head")
    assert named(found) == edges(
        ("first", "inner.0.0"), ("first", "add"), ("inner.0.0", "add"),
        ("add", "inner.1.0"), ("add", "add_1"), ("inner.1.0", "add_1"), ("add_1", "head"),
    )  # fmt: skip


def test_a_class_of_submodules_can_be_one_block():
    found = block_graph(nn.Sequential(*(Residual() for _ in range(5))), blocks=(Residual,))
    assert found.blocks == ("0", "1", "2", "3", "4")
    assert len(found.wiring.edges) == 4


def test_a_layer_that_is_used_twice_is_one_block_without_an_edge_to_itself():
    shared = nn.Linear(3, 3)
    found = block_graph(nn.Sequential(nn.Linear(3, 3), shared, nn.ReLU(), shared, nn.Linear(3, 3), nn.Linear(3, 1)))
    assert named(found) == edges(("0", "1"), ("1", "4"), ("4", "5"))


def test_a_module_is_described_in_a_notebook():
    found = wiring.describe(Residual())
    assert found.numbers["nodes"] == 6
    assert found.numbers["clustering"] > 0  # two triangles
    assert ("add_1", "head") in found.edges
    assert str(found).startswith("  Residual: 6 nodes, 7 edges")
    assert "no prediction, outside the range seen: 6 nodes; the published wirings have 64" in str(found)
    assert found.numbers["potts_2"] > found.numbers["mean_field_potts_2"]


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else x


class Apart(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(2, 2) for _ in range(4))

    def forward(self, x):
        return self.b(self.a(x)), self.d(self.c(x))


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "Sequential contains 1 block; expected 4 to 64"),
        (nn.Sequential(*(nn.Linear(2, 2) for _ in range(70))), "contains 70 blocks; expected 4 to 64; name larger submodules in blocks="),
        (
            Branching(),
            "torch.fx cannot trace Branching (TraceError: symbolically traced variables cannot be used as inputs to control flow)",
        ),
        (Apart(), "Apart is not connected: no path leads from a to c"),
        ("resnet18", "module=str: expected a torch.nn.Module"),
    ],
)
def test_what_has_no_block_graph_is_refused_in_one_line(module, words):
    with pytest.raises(UsageError) as refused:
        block_graph(module)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("blocks", ["Linear", ("Linear",), int])
def test_names_of_classes_are_no_classes(blocks):
    with pytest.raises(UsageError, match="expected classes of modules, such as"):
        block_graph(nn.Sequential(nn.Linear(2, 2)), blocks)
