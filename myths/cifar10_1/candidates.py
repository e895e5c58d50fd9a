"""Candidates of the reuse experiment: many different ridge classifiers on random-patch features, fitted together."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from myths.lab.measurement.device import halve_on_out_of_memory

BLOCKS = 40
"""Number of blocks of training examples. A bootstrap sample is a sample of blocks, so that all candidates share the Gram matrices."""
BATCH_SIZE = 25
"""Number of candidates that are solved at once."""


def fit_many(
    train: Float[Tensor, "n f"],
    labels: Int64[Tensor, " n"],
    test: Float[Tensor, "m f"],
    classes: int,
    candidates: int,
    generator: torch.Generator,
) -> UInt8[Tensor, "candidates m"]:
    """Fit ridge classifiers and return their predicted classes on the test examples.

    Each candidate samples a quarter of the features, a bootstrap sample of the training set (of ``BLOCKS`` blocks), and its
    regularization, log-uniform from 1e-4 to 1 times the variance of the features.

    Args:
        train: Features of the training examples.
        labels: Class of each training example.
        test: Features of the test examples.
        classes: Number of classes.
        candidates: Number of candidates.
        generator: Random numbers.
    """
    n, size = train.shape
    mean, std = train.mean(0), train.std(0).clamp_min(1e-6)
    train, test = (train - mean) / std, (test - mean) / std
    target = F.one_hot(labels, classes).float() - 1 / classes
    kept = n - n % BLOCKS
    shuffled = torch.randperm(n, generator=generator)[:kept].to(train.device)
    blocks = train[shuffled].view(BLOCKS, -1, size)
    gram = (blocks.mT @ blocks).flatten(1)
    cross = (blocks.mT @ target[shuffled].view(BLOCKS, -1, classes)).flatten(1)
    draws = torch.randint(BLOCKS, (candidates, BLOCKS), generator=generator)
    weights = F.one_hot(draws, BLOCKS).sum(1).float().to(train.device)
    penalty = 10 ** (4 * torch.rand(candidates, generator=generator) - 4).to(train.device)
    chosen = torch.rand(candidates, size, generator=generator).argsort(1)[:, : size // 4].to(train.device)

    def work(piece: slice) -> Tensor:
        heads = _solve(weights[piece] @ gram, weights[piece] @ cross, penalty[piece] * kept, chosen[piece], size, classes)
        scores = test @ heads.permute(1, 0, 2).flatten(1)
        return scores.view(len(test), -1, classes).argmax(2).T.to(torch.uint8)

    return torch.cat(halve_on_out_of_memory(work, candidates, BATCH_SIZE, elements=max(size * size, len(test) * classes))[0])


def _solve(
    gram: Float[Tensor, "k ff"],
    cross: Float[Tensor, "k fc"],
    penalty: Float[Tensor, " k"],
    chosen: Int64[Tensor, "k d"],
    size: int,
    classes: int,
) -> Float[Tensor, "k f c"]:
    """Return ridge solutions on the chosen features. The other features have weight zero."""
    k, d = chosen.shape
    pairs = (chosen[:, :, None] * size + chosen[:, None, :]).flatten(1)
    matrix = gram.gather(1, pairs).view(k, d, d) + torch.diag_embed(penalty[:, None].expand(k, d))
    index = chosen[:, :, None].expand(k, d, classes)
    heads = torch.cholesky_solve(cross.view(k, size, classes).gather(1, index), torch.linalg.cholesky(matrix))
    return torch.zeros(k, size, classes, device=gram.device).scatter_(1, index, heads)
