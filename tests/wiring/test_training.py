"""Relational-graph MLPs against masked dense layers; equal sizes; what a trial trains."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from myths.lab.errors import UsageError
from myths.lab.trial import Context
from myths.wiring import facts, graphs
from myths.wiring.relational_mlp import RelationalMLP, equal_width, wired_parameters
from myths.wiring.trials import TrainWirings
from myths.wiring.trials.training import SMALL_WORLD
from tests.simulated_graph import simulate

STEM, WIDTH, NODES = 16, 24, 8


def two_networks(first=None, second=None):
    wirings = [first or graphs.watts_strogatz(NODES, 3, 0.5, 0), second or graphs.watts_strogatz(NODES, 3, 1.0, 1)]
    return wirings, RelationalMLP(wirings, 5, (STEM, WIDTH), 3, torch.Generator().manual_seed(0)).double()


def dense(network, index, wiring):
    """The wired weights of one network as full matrices that are zero where there is no edge."""
    matrices = []
    for weight, each in zip(network.wired, network.blocks, strict=True):
        out = weight.shape[-1]
        matrix = torch.zeros(NODES * each, NODES * out, dtype=weight.dtype)
        for node, row in enumerate(wiring.adjacency):
            for place, other in enumerate([node, *row.nonzero()[0].tolist()]):
                block = weight[index * NODES + node, place * each : (place + 1) * each]
                matrix[other * each : (other + 1) * each, node * out : (node + 1) * out] = block
        matrices.append(matrix)
    return matrices


def normalized(x):
    return torch.relu((x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt())


@pytest.mark.parametrize("index", [0, 1])
def test_a_network_of_a_batch_is_an_mlp_with_masked_dense_layers(index):
    wirings, network = two_networks()
    x = torch.randn(12, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    hidden = normalized(x @ network.stem[index])
    for matrix in dense(network, index, wirings[index]):
        hidden = normalized(hidden @ matrix)
    torch.testing.assert_close(network(x)[index], hidden @ network.head[index] + network.bias[index])


def test_weights_that_no_edge_has_get_no_gradient():
    star = graphs.of_edges(NODES, ((0, i) for i in range(1, NODES)))
    _, network = two_networks(star, star)
    network(torch.randn(12, 5, dtype=torch.float64)).square().sum().backward()
    for weight, each in zip(network.wired, network.blocks, strict=True):
        leaf, center = weight.grad[1], weight.grad[0]
        assert (leaf[2 * each :] == 0).all()  # itself and the center; the rest is padding
        assert (leaf[: 2 * each] != 0).any()
        assert (center[-each:] != 0).any()


def test_the_initial_weights_have_the_variance_of_the_real_number_of_inputs():
    star = graphs.of_edges(64, ((0, i) for i in range(1, 64)))
    network = RelationalMLP([star], 5, (512, 1024), 3, torch.Generator().manual_seed(0))
    last = network.wired[-1].detach()
    assert last[0].var().item() == pytest.approx(2 / (64 * 16), rel=0.05)
    assert last[1:].var().item() == pytest.approx(2 / (2 * 16), rel=0.05)


def test_evaluation_uses_the_statistics_of_the_training_images():
    _, network = two_networks()
    x = torch.randn(40, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    trained = network(x)
    network.eval()
    network.record_moments([x])
    torch.testing.assert_close(network(x), trained)
    torch.testing.assert_close(network(x[:3]), trained[:, :3])  # independent of the batch


def test_a_relabeled_wiring_with_relabeled_weights_computes_the_same():
    """Names of nodes do not matter: the control of the prediction."""
    wiring = graphs.watts_strogatz(NODES, 3, 0.5, 0)
    order = np.random.default_rng(0).permutation(NODES).tolist()
    (_, renamed), network = two_networks(wiring, wiring.relabeled(order))
    x = torch.randn(12, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def moved(matrix, axis):
        blocks = matrix.unflatten(axis, (NODES, -1))
        return torch.empty_like(blocks).index_copy_(axis, torch.tensor(order), blocks).flatten(axis, axis + 1)

    hidden = normalized(x @ moved(network.stem[0], 1))
    for matrix in dense(network, 0, wiring):
        hidden = normalized(hidden @ moved(moved(matrix, 0), 1))
    logits = hidden @ moved(network.head[0], 0) + network.bias[0]
    torch.testing.assert_close(logits, network(x)[0])
    assert renamed != wiring


def test_equal_widths_have_the_parameters_of_the_authors():
    """Their wirings of this density are about 1,490 units wide; complete and wired networks differ by less than one percent."""
    width = equal_width(64, 272, 512, 10)
    assert width == 1472
    table, _ = facts.errors("MLP")
    near = table[table["edges"] == 272]
    assert abs(near["width_units"].mean() - width) < 64
    wired, complete = wired_parameters(64, 272, 512, width, 10), wired_parameters(64, 2016, 512, 512, 10)
    assert abs(wired - complete) / (3072 * 512 + complete) < 0.01


def test_the_stated_number_of_parameters_is_that_of_the_network():
    (first, second), network = two_networks()
    existing = sum((matrix != 0).sum().item() for matrix in dense(network, 0, first))
    others = network.head[0].numel() + network.bias[0].numel() + 2 * 3 * WIDTH
    assert len(first.edges) == len(second.edges)
    assert wired_parameters(NODES, len(first.edges), STEM, WIDTH, 3) == existing + others


def trained(**settings):
    trial = TrainWirings(
        **({"dataset": "digits", "arm": "ring-like", "nodes": 8, "degree": 3, "stem": 32, "epochs": 1, "seed": 0} | settings)
    )
    return trial, trial.run(Context(trial)).rows


def test_digits_are_learned_by_every_arm():
    for arm in ("ring-like", "complete"):
        _, rows = trained(arm=arm, epochs=4, graphs=2)
        assert max(row["test_error_percent"] for row in rows) < 25  # chance is 90


def test_the_networks_of_a_trial_are_independent_but_share_their_size():
    _, rows = trained(arm="small-world", graphs=4)
    assert len({row["parameters"] for row in rows}) == 1
    assert tuple(row["rewire_probability"] for row in rows) == SMALL_WORLD
    assert len({row["test_error_percent"] for row in rows}) > 1


def test_the_protocol_is_the_papers_with_its_size_and_epochs_only():
    paper = TrainWirings(dataset="cifar10", arm="random", epochs=200, seed=0)
    assert paper.protocol == "paper"
    assert TrainWirings(dataset="cifar10", arm="random", epochs=30, seed=0).protocol == "reduced"
    assert TrainWirings(dataset="cifar10", arm="random", epochs=200, train_examples=10_000, seed=0).protocol == "reduced"
    assert TrainWirings.test_instance().protocol == "stand-in"


@pytest.mark.parametrize(("setting", "words"), [({"stem": 30}, "stem=30"), ({"degree": 8}, "degree=8")])
def test_sizes_that_do_not_fit_are_refused(setting, words):
    with pytest.raises(UsageError, match=words):
        trained(**setting)


def test_recorded_steps_train_the_same_networks(monkeypatch):
    trial = replace(TrainWirings.test_instance(), epochs=4)
    eager = trial.run(Context(trial)).rows
    graphs_recorded = simulate(monkeypatch)
    recorded = trial.run(Context(trial)).rows
    assert graphs_recorded.recorded == 1
    for one, other in zip(eager, recorded, strict=True):
        assert one["test_error_percent"] == pytest.approx(other["test_error_percent"], abs=0.5)
