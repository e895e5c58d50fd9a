"""The measured update against finite differences and the law's own cases."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from myths.fixup import tables
from myths.fixup.network import build
from myths.fixup.tables import nominal_depth
from myths.fixup.trials.update import MeasureUpdate, descend, forget_running_statistics
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Context


def started(method, depth=16, seed=0):
    torch.manual_seed(seed)
    made = build("wide-resnet", depth, method, 10, 3, 4).double()
    forget_running_statistics(made)
    return made


def batch(n=8):
    generator = torch.Generator().manual_seed(3)
    return torch.rand(n, 3, 8, 8, generator=generator, dtype=torch.float64), torch.randint(0, 10, (n,), generator=generator)


def plain_step(network, rate):
    """Gradient descent as everybody writes it, scalars at a tenth of the rate where they are Fixup's."""
    network = copy.deepcopy(network)
    x, y = batch()
    before = network(x)
    F.cross_entropy(before, y).backward()
    with torch.no_grad():
        for name, p in network.named_parameters():
            scalar = name.endswith(("shifts", "scale")) and network.method.scalars == "fixup"
            p -= (0.1 if scalar else 1.0) * rate * p.grad
        return network, (network(x) - before).norm(dim=1).square().mean().sqrt().item()


@pytest.mark.parametrize("method", ["fixup", "he", "skipinit", "batch-norm"])
def test_the_update_is_that_of_a_step_and_its_limit_that_of_small_steps(method):
    network = started(method)
    if method in ("fixup", "skipinit"):  # from a place where branches have moved, and no activation lies at exactly 0
        for _ in range(2):
            network, _ = plain_step(network, 0.1)
    rate = 1e-6
    _, small = plain_step(network, rate)
    _, literal = plain_step(network, 0.01)
    found, layers = descend(network, *batch(), 0.01)
    assert found["update"] == pytest.approx(literal, rel=1e-6)
    assert found["update_over_learning_rate"] == pytest.approx(small / rate, rel=1e-3)
    assert len(layers) == 6


def test_gradient_norms_are_those_of_the_convolutions_of_each_block():
    network = started("skipinit")
    for block in network.blocks:
        torch.nn.init.ones_(block.scale)
    x, y = batch()
    F.cross_entropy(network(x), y).backward()
    expected = [np.sqrt(sum(float(p.grad.square().sum()) for c in b.convs for p in c.parameters())) for b in network.blocks]
    everything = np.sqrt(sum(float(p.grad.square().sum()) for p in network.parameters()))
    fresh = started("skipinit")
    for block in fresh.blocks:
        torch.nn.init.ones_(block.scale)
    found, layers = descend(fresh, x, y, 0.1)
    assert layers == pytest.approx(expected, rel=1e-6)
    assert found["gradient_norm"] == pytest.approx(everything, rel=1e-6)


def test_the_first_step_of_fixup_moves_the_head_alone_and_the_third_moves_everything():
    network = started("fixup")
    before = [p.clone() for p in network.blocks.parameters()]
    found, layers = descend(network, *batch(), 0.1)
    assert found["largest_logit"] == 0
    assert all(norm == 0 for norm in layers)
    assert all(torch.equal(a, b) for a, b in zip(before, network.blocks.parameters(), strict=True))
    for _ in range(2):
        _, layers = descend(network, *batch(), 0.1)
    assert all(norm > 0 for norm in layers)
    assert all(torch.count_nonzero(conv.weight) > 0 for block in network.blocks for conv in block.convs)


def measured(method, depths, seed=0, steps=3):
    results = []
    for depth in depths:
        trial = MeasureUpdate(dataset="digits", depth=depth, method=method, width=4, examples_per_step=32, steps=steps, seed=seed)
        results.append(TrialRecord(trial, "ok", trial.run(Context(trial)).rows))
    return results


def test_slopes_are_those_of_the_law():
    """The tables' own fits against rows made from known laws."""
    records = []
    for depth in (10, 16, 28, 52, 100):
        trial = MeasureUpdate(dataset="digits", depth=depth, method="he")
        branches = trial.branches
        row = {"kind": "step", "step": 1, "branches": branches, "update": 0.3 * branches**1.5, "update_over_learning_rate": 2 / branches}
        records.append(TrialRecord(trial, "ok", [{**row, "gradient_norm": 1.07**branches, "largest_logit": 1.0, "loss": 2.0}]))
    (line,) = tables.slopes(Results(records)).to_dict("records")
    assert line["update_slope"] == pytest.approx(1.5)
    assert line["update_over_learning_rate_slope"] == pytest.approx(-1)
    assert line["gradient_growth"] == pytest.approx(0.07)


def test_he_s_gradients_grow_with_depth_and_fixup_s_update_does_not():
    depths = (10, 22, 40, 64)
    table = tables.slopes(Results(measured("he", depths, steps=1) + measured("fixup", depths)))
    of = {(row["method"], row["step"]): row for row in table.to_dict("records")}
    assert of["he", 1]["gradient_growth"] > 0.1
    assert of["he", 1]["update_over_learning_rate_slope"] > 1
    assert abs(of["fixup", 1]["update_slope"]) < 0.3
    assert of["fixup", 3]["update_over_learning_rate_slope"] < 0.5


def test_what_overflows_is_no_number_and_ends_the_steps():
    trial = MeasureUpdate(dataset="digits", depth=400, method="he", width=4, examples_per_step=8, learning_rate=1e3)
    rows = [row for row in trial.run(Context(trial)).rows if row["kind"] == "step"]
    assert len(rows) < 5
    assert not np.isfinite(rows[-1]["update"])


def test_depths_are_named_as_in_the_papers():
    assert [nominal_depth(d) for d in (8, 10, 22, 20, 58, 112, 110, 502, 998, 1000, 9998, 148)] == [
        8, 10, 20, 20, 56, 110, 110, 500, 1000, 1000, 10_000, 148,
    ]  # fmt: skip
