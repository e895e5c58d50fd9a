"""Early scores against closed forms and a loop of autograd.grad; noise by its shares; agreement against SciPy's numbers."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score

from myths import suite
from myths.forgetting import correlations, measures
from myths.forgetting.noise import add_pixel_noise, flip_labels
from myths.forgetting.scores import el2n, grand
from myths.lab.errors import UsageError
from myths.lab.vision.networks import build


def images(n, side=16, channels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (n, channels, side, side), generator=generator).to(torch.uint8)
    return x, torch.randint(0, 4, (n,), generator=generator)


def test_el2n_closed_form():
    p = torch.tensor([0.7, 0.2, 0.1])
    logits = p.log()[None].repeat(3, 1) + 5
    expected = [((p - torch.eye(3)[label]) ** 2).sum().sqrt().item() for label in range(3)]
    assert el2n(logits, torch.arange(3)).tolist() == pytest.approx(expected)
    sure = torch.tensor([[50.0, 0.0], [0.0, 50.0]])
    assert el2n(sure, torch.tensor([0, 0])).tolist() == pytest.approx([0, np.sqrt(2)], abs=1e-6)


@pytest.mark.parametrize("name", ["small_cnn", "mnist_cnn_dropout", "fast_narrow", "resnet8"])
def test_grand_is_a_loop_of_gradients(name):
    torch.manual_seed(0)
    x, y = images(7)
    network = build(name, 4, 3, 16)
    network.calibrate(x)
    network.train()
    network(x.float() / 255)  # running statistics that are not those of the start
    found = grand(network, x, y, device="cpu", batch_size=3)
    assert network.training
    network.eval()
    trained = [p for p in network.parameters() if p.requires_grad]
    for i in range(7):
        loss = torch.nn.functional.cross_entropy(network(x[i : i + 1].float() / 255), y[i : i + 1])
        gradients = torch.autograd.grad(loss, trained)
        assert found[i].item() == pytest.approx(float(sum((g.double() ** 2).sum() for g in gradients)) ** 0.5, rel=1e-4)


def test_flipped_labels_are_other_labels_in_the_share_asked_for():
    labels = torch.arange(1000) % 5
    noisy, flipped = flip_labels(labels, 0.2, 5, torch.Generator().manual_seed(0))
    assert int(flipped.sum()) == 200
    assert torch.equal(noisy != labels, flipped)
    shifts = torch.bincount((noisy - labels)[flipped] % 5, minlength=5)
    assert stats.chisquare(shifts[1:].numpy()).pvalue > 0.001
    assert set(noisy.tolist()) <= set(range(5))
    again, _ = flip_labels(labels, 0.2, 5, torch.Generator().manual_seed(0))
    assert torch.equal(again, noisy)


@pytest.mark.parametrize(("share", "classes", "labels"), [(1.2, 5, [0, 1]), (0.1, 1, [0, 0]), (0.1, 2, [0, 2]), (0.1, 2, [-1, 0])])
def test_noise_that_cannot_be(share, classes, labels):
    with pytest.raises(UsageError):
        flip_labels(torch.tensor(labels), share, classes, torch.Generator())


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_pixel_noise_brightens_one_channel_by_about_120_and_wraps(share):
    x = torch.full((50, 3, 8, 8), 100, dtype=torch.uint8)
    noisy = add_pixel_noise(x, 2.0, torch.Generator().manual_seed(0), share, batch_size=16)
    changed = noisy != x
    assert (changed.sum(1) <= 1).all()
    assert changed.any(1).sum(dim=(1, 2)).tolist() == [round(share * 64)] * 50
    added = noisy[changed].float() - 100
    assert added.mean().item() == pytest.approx(120 - 0.5, abs=0.3)  # cut off, not rounded
    assert added.std().item() == pytest.approx(2, rel=0.15)
    bright = add_pixel_noise(torch.full((9, 1, 8, 8), 200, dtype=torch.uint8), 0.5, torch.Generator().manual_seed(0))
    assert bright.float().mean().item() == pytest.approx(200 + 120 - 256, abs=1)


def test_correlations_are_scipys():
    rng = np.random.default_rng(0)
    a, b = rng.poisson(2, 500), rng.poisson(2, 500)
    assert correlations.correlation(a, a + b, "pearson") == pytest.approx(stats.pearsonr(a, a + b).statistic)
    assert correlations.correlation(a, a + b, "spearman") == pytest.approx(stats.spearmanr(a, a + b).statistic)
    assert correlations.correlation(a, np.zeros(500), "pearson") is None
    assert correlations.auroc(a, b > 2) == pytest.approx(roc_auc_score(b > 2, a))
    assert correlations.auroc(a, b < 0) is None
    assert correlations.average_precision(a, b < 0) is None


def test_the_jackknife_over_seeds_covers_more_often_than_pairs_taken_as_independent():
    rng = np.random.default_rng(1)
    covered = {"jackknife": 0, "pairs": 0}
    for _ in range(200):
        quality = rng.normal(1.0, 0.3, size=8)  # each training's own; a pair's z is their sum
        z = {(i, j): quality[i] + quality[j] for i in range(8) for j in range(i + 1, 8)}
        found = correlations.mean_correlation({pair: float(np.tanh(value)) for pair, value in z.items()})
        assert found is not None
        assert found.n == 8
        covered["jackknife"] += found.low <= np.tanh(2.0) <= found.high
        half = 1.96 * np.std(list(z.values()), ddof=1) / np.sqrt(len(z))
        covered["pairs"] += abs(np.mean(list(z.values())) - 2.0) <= half
    assert covered["jackknife"] > 175 > 160 > covered["pairs"]
    assert correlations.mean_correlation({(0, 1): 0.5}) is None


def of_pairs(r):
    return pd.DataFrame([{"pearson": r, "low": r - 0.1, "high": min(r + 0.1, 1.0), "seeds": 10}])


def test_sums_over_runs_are_correlated_as_spearman_and_brown_say():
    paper = measures.sum_correlation(5, of_pairs(0.892))
    assert paper is not None
    assert round(paper.value, 3) == 0.976  # Sec. 6 of the paper gives both numbers
    assert (paper.n, paper.source_of_variation) == (10, "seeds")
    rng = np.random.default_rng(3)
    counts = rng.gamma(1.0, 2.0, 4000) + rng.normal(0, 1.5, (10, 4000))
    pairs = np.mean([correlations.correlation(counts[i], counts[j], "pearson") for i in range(10) for j in range(i)])
    found = measures.sum_correlation(5, of_pairs(pairs))
    assert found is not None
    assert found.value == pytest.approx(correlations.correlation(counts[:5].sum(0), counts[5:].sum(0), "pearson"), abs=0.005)
    assert found.low < found.value < found.high
    uncorrelated = measures.sum_correlation(5, of_pairs(0.05))
    assert uncorrelated is not None
    assert uncorrelated.low == 0
    assert measures.sum_correlation(5, pd.DataFrame()) is None


def test_published_sums_over_three_runs_are_correlated_as_their_pairs_say():
    """Two groups of three of the six runs that count on all of CIFAR-10."""
    table = pd.read_csv(suite.BUNDLED / "cpu-overnight" / "forgetting" / "count_correlations.csv")
    (sums,) = table.loc[(table["kind"] == "sums") & (table["training_runs"] == 3), "pearson"]
    found = measures.sum_correlation(3, table[table["kind"] == "pairs"])
    assert found is not None
    assert found.value == pytest.approx(sums, abs=0.005)


def test_the_deviation_of_the_published_noise_hardly_changes_the_images():
    """Why counts are flat from deviation 0.5 to 10 (F8): both add 120 to one channel, and ten gray levels are little beside it."""
    x = torch.randint(0, 256, (20, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    even, uneven = (add_pixel_noise(x, d, torch.Generator().manual_seed(1)) for d in (0.5, 10.0))

    def apart(a, b):
        """In gray levels, around the circle that bytes wrap on, where either was changed."""
        around = (a.int() - b.int()) % 256
        return torch.minimum(around, 256 - around)[(even != x) | (uneven != x)].float().mean()

    assert apart(even, x) == pytest.approx(120, abs=1)
    assert apart(uneven, x) == pytest.approx(120, abs=4)  # beyond 128 the way around is shorter
    assert apart(even, uneven) == pytest.approx(9.5 * (2 / torch.pi) ** 0.5, rel=0.05)
