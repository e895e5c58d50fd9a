"""A model of the user's from its weights: what it predicts, and whether its pixels are normalized as it expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from myths.cifar10_1.published import TEST_SETS, TestSet
from myths.lab.data.weights import BLUE_FIRST, NORMALIZATION_NAMES, NORMALIZATIONS
from myths.lab.errors import CannotStart, UsageError
from myths.lab.setting import DatasetName, Items, OneOf
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lab.vision.classifier import COST

if TYPE_CHECKING:
    from torch import Tensor, nn

UNTRAINED = "untrained"
"""Weights of a small network as they are before training, for tests."""
IMAGES: Mapping[TestSet, str] = {"original": "cifar10", "v4": "cifar10_1_v4", "v6": "cifar10_1_v6"}
"""The datasets that hold the images of the test sets."""
CHECKED = 1000
"""Images of the original test set on which other normalizations are tried."""
LEVEL = 0.001
"""Another normalization is reported when its gain would come by chance less often than this."""
CLASSES, SIDE = 10, 32

_OF_SUITE, _OF_TORCHVISION = "none", "cifar10"
"""Normalizations where the user gives none: networks of the suite standardize pixels themselves."""


@dataclass(frozen=True, kw_only=True)
class PredictClasses(Trial):
    """Predict the classes of the test images by a network of the user's, and try the common normalizations of pixels."""

    weights: DatasetName
    """The user's weights, as `myths data add` named them."""
    normalization: Annotated[str, OneOf(NORMALIZATION_NAMES)] = _OF_TORCHVISION
    """How pixels are normalized for the network."""
    test_sets: Annotated[tuple[TestSet, ...], Items(at_least=1, distinct=True)] = ("original",)
    """Test sets whose images are on this machine."""

    @property
    def protocol(self) -> Protocol:
        """The paper's images; only the user's model is another."""
        return "stand-in" if self.weights == UNTRAINED else "paper"

    @property
    def data(self) -> tuple[str, ...]:
        """The weights and the images."""
        return () if self.weights == UNTRAINED else (self.weights, *(IMAGES[name] for name in self.test_sets))

    @property
    def relative_cost(self) -> float:
        """Images predicted, in thousands, times what one costs, a third of training on it."""
        return 12 * len(self.test_sets) * COST["resnet18"] / 3

    @classmethod
    def test_instance(cls) -> PredictClasses:
        """An untrained small network on procedural shapes."""
        return cls(weights=UNTRAINED, normalization="none")

    def run(self, context: Context) -> Outcome:
        """Rows of ``kind`` "model" (architecture) and "normalization" (normalization, n, correct, gained, lost), this trial's first.

        ``gained`` and ``lost`` count the images that only the other and only this trial's normalization classifies correctly. Arrays:
        the predicted classes of each test set, and its labels (``labels_original`` …).

        Raises UsageError for weights of no known network, or outputs that are not finite.
        """
        from myths.lab.data.images import image_set
        from myths.lab.vision.training import predict

        network, architecture = load(self.weights)
        network = network.to(context.device)

        def predicted(x: Tensor, normalization: str) -> np.ndarray:
            logits = predict(normalized(network, normalization).to(context.device), x, device=context.device, batch=500)
            if not logits.isfinite().all() and normalization == self.normalization:
                raise UsageError(f"{self.weights}: outputs are not finite with normalization={normalization}: check the weights")
            return logits.argmax(1).numpy().astype(np.uint8)

        arrays: dict[str, np.ndarray] = {}
        for test_set in self.test_sets:
            images = image_set("shapes" if self.weights == UNTRAINED else IMAGES[test_set], context.device)
            arrays[test_set] = predicted(images.x_test, self.normalization)
            arrays[f"labels_{test_set}"] = images.y_test.cpu().numpy().astype(np.uint8)
            if test_set == "original":
                first = images.x_test[:CHECKED]
        rows: list[dict[str, Any]] = [{"kind": "model", "architecture": architecture}]
        labels = arrays["labels_original"][:CHECKED]
        ours = arrays["original"][:CHECKED] == labels
        for name in (self.normalization, *(other for other in NORMALIZATION_NAMES if other != self.normalization)):
            theirs = ours if name == self.normalization else predicted(first, name) == labels
            changes = {"gained": int((theirs & ~ours).sum()), "lost": int((ours & ~theirs).sum())}
            rows.append({"kind": "normalization", "normalization": name, "n": len(labels), "correct": int(theirs.sum()), **changes})
        return Outcome(rows=rows, arrays=arrays)


def plan(name: str) -> PredictClasses:
    """Return the trial that predicts with the user's weights, on all test sets whose images are on this machine.

    Raises:
        UsageError: The weights are of no known network, of one with another number of classes or size of images.
        CannotStart: The weights cannot be read.
    """
    from myths.lab.data import prepared

    check(name)
    said = dict(prepared.require(name).settings).get("normalization")
    of_suite = load(name)[1] in _networks_of_suite()
    new = [test_set for test_set in TEST_SETS if test_set != "original" and prepared.find(IMAGES[test_set]) is not None]
    return PredictClasses(weights=name, normalization=said or (_OF_SUITE if of_suite else _OF_TORCHVISION), test_sets=("original", *new))


def check(name: str) -> None:
    """Raise UsageError unless the network of these weights takes images of CIFAR-10 and predicts ten classes."""
    import torch

    network, architecture = load(name)
    try:
        with torch.inference_mode():
            network(torch.zeros(2, 3, SIDE, SIDE))
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"{name} is a {architecture}, which cannot take images of {SIDE} x {SIDE} pixels: resize them yourself and add the predictions "
            "(docs/own-data.md)"
        ) from error


def load(name: str) -> tuple[nn.Module, str]:
    """Return the network of the weights added as ``name``, in evaluation mode on the CPU, and its architecture.

    Raises:
        UsageError: The weights are of no known network, or of one that does not predict ten classes.
        CannotStart: The weights cannot be read.
    """
    import torch

    from myths.lab.vision import networks, pretrained

    if name == UNTRAINED:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return networks.build("small_cnn", CLASSES, 3, 16).eval(), "small_cnn"
    weights = pretrained.read(name)
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    architecture = next((each for each, theirs in _networks_of_suite().items() if theirs == shapes), None)
    with torch.random.fork_rng(devices=[]):
        if architecture is not None:
            network: nn.Module = networks.build(architecture, CLASSES, 3, SIDE)
        else:
            architecture = _of_torchvision(name, weights)
            network = pretrained.build(architecture, CLASSES)
    network.load_state_dict(dict(weights))
    return network.eval().requires_grad_(False), architecture


def normalized(network: nn.Module, normalization: str) -> nn.Module:
    """Return the network as a function of pixel values in 0 to 1, red first."""
    from myths.lab.vision.pretrained import BlueFirst, Standardized

    mean, std = NORMALIZATIONS[normalization.removesuffix(BLUE_FIRST)]
    return Standardized(BlueFirst(network) if normalization.endswith(BLUE_FIRST) else network, mean, std).eval()


def _of_torchvision(name: str, weights: Mapping[str, Tensor]) -> str:
    from myths.lab.vision import pretrained

    try:
        architecture = pretrained.identify(weights)
    except UsageError as error:
        raise UsageError(
            f"{name} ({len(weights)} tensors, the first {next(iter(weights))}) is of none of the networks of the suite "
            f"({', '.join(_networks_of_suite())}) and of torchvision ({', '.join(pretrained.ARCHITECTURES)}): add its predictions instead "
            "(docs/own-data.md)"
        ) from error
    if (classes := pretrained.classes_of(weights)) != CLASSES:
        raise UsageError(f"{name} is a {architecture} of {classes:,} classes; CIFAR-10 has {CLASSES}: train the last layer on CIFAR-10")
    return architecture


@cache
def _networks_of_suite() -> dict[str, dict[str, tuple[int, ...]]]:
    import torch

    from myths.lab.vision import networks

    with torch.device("meta"):
        return {
            name: {key: tuple(value.shape) for key, value in networks.build(name, CLASSES, 3, SIDE).state_dict().items()}
            for name in networks.NETWORKS
        }


def same_images(labels: np.ndarray, published: np.ndarray, test_set: TestSet) -> None:
    """Raise CannotStart unless the images have the published labels, in the published order."""
    if not np.array_equal(labels, published):
        raise CannotStart(
            f"the images of {IMAGES[test_set]} on this machine are {len(labels):,} with other labels than the {len(published):,} published "
            f"ones, or in another order: myths data verify {IMAGES[test_set]}"
        )
