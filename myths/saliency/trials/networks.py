"""Networks that are explained: trained by this suite (standard, adversarial or softplus), or pretrained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from myths.lab.errors import UsageError
from myths.lab.setting import DatasetName, Range
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lab.vision.classifier import BUILT_IN, TrainClassifier, load_classifier
from myths.saliency.names import CAFFE_BETA, DEFAULT_BETA, IMAGENET_SAMPLE, PIXEL_STEP, SQUEEZENET, UNTRAINED

if TYPE_CHECKING:
    from jaxtyping import UInt8
    from torch import Tensor, nn

    from myths.lab.data.images import ImageSet
    from myths.lab.vision.networks import Classifier
    from myths.saliency.explained_model import ExplainedModel

IMAGENETTE = "imagenette"
MAIN = "resnet8"
"""Network of the claims. It uses average pooling: softplus does not smooth the kinks of max-pooling, so the curvature analysis would
not apply."""


@dataclass(frozen=True, kw_only=True)
class TrainNetwork(TrainClassifier):
    """Train a network that is explained: standard, adversarial, or with softplus instead of ReLU.

    ``dataset`` is a dataset of the suite or "imagenette": images of ten ImageNet classes, 64 pixels.
    """

    adversarial_epsilon: Annotated[float, Range(at_least=0)] = 0.0
    """Perturbation budget of adversarial training, in units of 1/255 (Wong et al. 2020). 0: standard training."""
    beta: Annotated[float, Range(at_least=0)] = 0.0
    """β of the softplus that replaces ReLU in training and evaluation (Dombrowski et al. 2019). 0: ReLU."""

    def __str__(self) -> str:
        return f"train {self.network} on {self.dataset}{'' if self.defense == 'none' else f' ({self.defense})'}, seed {self.seed}"

    @property
    def defense(self) -> str:
        """Difference from the standard network: "adversarial", "softplus 2", or "none"."""
        parts = ["adversarial"] * (self.adversarial_epsilon > 0) + [f"softplus {self.beta:g}"] * (self.beta > 0)
        return ", ".join(parts) or "none"

    @property
    def columns(self) -> Mapping[str, Any]:
        """Columns of tables that follow from the settings."""
        return {**super().columns, "defense": self.defense}

    @property
    def attack_beta(self) -> float:
        """β of the softplus surrogate that attacks differentiate."""
        return DEFAULT_BETA

    @property
    def relative_cost(self) -> float:
        """Cost of a standard training run, doubled by adversarial training and increased by half by softplus."""
        return super().relative_cost * (2.0 if self.adversarial_epsilon else 1.0) * (1.5 if self.beta else 1.0)

    @property
    def data(self) -> tuple[str, ...]:
        """Dataset to train on. Imagenette is a part of ``dataset_bias``."""
        return ("dataset_bias",) if self.dataset == IMAGENETTE else (self.dataset,)

    @classmethod
    def test_instance(cls) -> TrainNetwork:
        """One epoch of adversarial training of a small softplus CNN on 128 procedural shapes."""
        return cls(
            dataset="shapes", network="small_cnn", epochs=1.0, batch_size=32, train_examples=128, precision="fp32",
            adversarial_epsilon=4.0, beta=5.0,
        )  # fmt: skip

    def images(self, device: str) -> ImageSet:
        """Return the training and test images."""
        from myths.lab.data.images import image_set
        from myths.saliency.imagenet import imagenette

        return imagenette(device) if self.dataset == IMAGENETTE else image_set(self.dataset, device)

    def subset(self, context: Context, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the shuffled training subset; the whole training set is shuffled, too."""
        import torch

        kept = torch.from_numpy(context.rng("subset").permutation(len(x)))[: self.train_examples or None].to(context.device)
        return x[kept], y[kept]

    def train_network(self, context: Context, network: Classifier, x: Tensor, y: Tensor) -> dict[str, Any]:
        """Train the network in place and return the columns of the training run."""
        from myths.lab.measurement.timing import Stopwatch
        from myths.lab.vision.training import Hooks, fit_seeded
        from myths.saliency.robust_training import SignedGradient
        from myths.saliency.surrogate import softened

        smooth, config, hooks = softened(network, self.beta), self.train_config(context.device), Hooks()
        if self.adversarial_epsilon:
            start = context.generator("start", context.device)
            hooks = Hooks(perturb=SignedGradient(smooth, config, self.adversarial_epsilon * PIXEL_STEP, start), generators=(start,))
        with Stopwatch(context.device) as stopwatch:
            loss = fit_seeded(context, smooth, x, y, config, hooks).loss
        return {
            "train_loss": loss,
            "train_seconds": stopwatch.seconds,
            "examples_per_second": self.epochs * len(x) / stopwatch.seconds,
            "precision": config.precision,
        }

    def evaluate(self, context: Context, network: Classifier, images: ImageSet) -> dict[str, Any]:
        """Return the columns of the test, in float32."""
        from myths.lab.vision.training import accuracy, predict
        from myths.saliency.surrogate import softened

        logits = predict(softened(network, self.beta), images.x_test, device=context.device)
        return {"test_accuracy_percent": 100 * accuracy(logits, images.y_test)}


@dataclass(frozen=True, kw_only=True)
class EvaluatePretrained(Trial):
    """Evaluate a pretrained torchvision network on the images of ``imagenet_sample``."""

    weights: DatasetName = SQUEEZENET
    """Name of weights from the catalog or given to `myths data add`. Default: SqueezeNet, the paper's kind of network."""

    def __str__(self) -> str:
        return f"pretrained network {self.weights}"

    @property
    def network(self) -> str:
        """Name of the weights."""
        return self.weights

    @property
    def defense(self) -> str:
        """Always "none"."""
        return "none"

    @property
    def attack_beta(self) -> float:
        """β of the softplus surrogate that attacks differentiate."""
        return CAFFE_BETA if self.weights == SQUEEZENET else DEFAULT_BETA

    @property
    def seed(self) -> int:
        """Always 0."""
        return 0

    @property
    def protocol(self) -> Protocol:
        """Stand-in if the network is untrained, else the paper's."""
        return "stand-in" if self.weights == UNTRAINED else "paper"

    @property
    def data(self) -> tuple[str, ...]:
        """The images and the weights."""
        return (IMAGENET_SAMPLE, self.weights) if self.weights != UNTRAINED else ()

    @property
    def dataset(self) -> str:
        """Images that are explained."""
        return "shapes" if self.weights == UNTRAINED else IMAGENET_SAMPLE

    def skip_reason(self) -> str | None:
        """Return which of SqueezeNet and its images is not available, or None. User weights always require the images."""
        from myths.lab.data import prepared

        missing = [name for name in self.data if prepared.find(name) is None]
        if self.weights != SQUEEZENET or not missing:
            return None
        return f"requires {' and '.join(missing)}; see `myths data list`"

    @classmethod
    def test_instance(cls) -> EvaluatePretrained:
        """An untrained SqueezeNet on procedural shapes."""
        return cls(weights=UNTRAINED)

    def images(self, device: str) -> ImageSet:
        """Return the test images: ImageNet images, or procedural shapes for the untrained network."""
        from myths.lab.data.images import image_set
        from myths.saliency.imagenet import imagenet_sample

        if self.weights != UNTRAINED:
            return imagenet_sample(device)
        shapes = image_set("shapes", device)
        large = shapes.x_test[:60].repeat_interleave(4, 2).repeat_interleave(4, 3)  # SqueezeNet needs more than 16 pixels
        return replace(shapes, x_train=None, y_train=None, x_test=large, y_test=shapes.y_test[:60])

    def run(self, context: Context) -> Outcome:
        """Return one row: architecture, accuracy and number of parameters."""
        from myths.lab.vision.training import accuracy, predict
        from myths.saliency.pretrained import load

        network, architecture = load(self.weights, context.device)
        images = self.images(context.device)
        logits = predict(network, images.x_test, device=context.device, batch=25)
        parameters = sum(p.numel() for p in network.parameters())
        percent = 100 * accuracy(logits, images.y_test)
        return Outcome(
            rows=[{"architecture": architecture, "test_accuracy_percent": percent, "n_test": len(logits), "parameters": parameters}]
        )


Network = TrainNetwork | EvaluatePretrained


def load_explained_model(trial: Network, context: Context, n: int, *, first: int = 0, image_size: int = 0) -> ExplainedModel:
    """Load a network with ``n`` of its shuffled test images that it classifies correctly.

    The order of the images depends only on the seed of the trial in ``context``.

    Args:
        trial: The network.
        context: Device, random streams, and the trained network.
        n: Number of images.
        first: Number of correctly classified images to leave out.
        image_size: Size to which the images are reduced, in pixels; 0 is that of the dataset.
    """
    from myths.lab.vision.training import predict
    from myths.saliency.explained_model import explained_model
    from myths.saliency.pretrained import load
    from myths.saliency.surrogate import softened

    images = trial.images(context.device)
    if image_size:
        images = replace(images, x_train=None, y_train=None, x_test=reduced(images.x_test, image_size))
    if isinstance(trial, EvaluatePretrained):
        pretrained, _ = load(trial.weights, context.device)
        module: nn.Module = pretrained
        mean, labels = pretrained.standardize.mean, images.y_test
        if trial.weights == UNTRAINED:  # it classifies nothing correctly, so its predictions serve as labels
            labels = predict(module, images.x_test, device=context.device).argmax(1).to(labels.device)
    else:
        classifier = load_classifier(trial, context.outcome(trial), context.device)
        module, mean, labels = softened(classifier, trial.beta), classifier.standardize.mean, images.y_test
    return explained_model(module, mean, images.x_test, labels, first + n, context.rng("images")).after(first)


def reduced(images: UInt8[Tensor, "n c h w"], size: int) -> UInt8[Tensor, "n c i j"]:
    """Return images reduced to ``size`` pixels, each the mean of the pixels that it covers.

    Raises:
        UsageError: The images are smaller.
    """
    from torch.nn import functional

    if size > min(images.shape[-2:]):
        raise UsageError(f"image_size={size}: the images have only {images.shape[-2]} x {images.shape[-1]} pixels")
    return functional.interpolate(images.float(), size=size, mode="area").round().byte()


def relative_cost_per_image(dataset: str) -> float:
    """Return the cost of one image in one pass, relative to an image of CIFAR-10."""
    return {"digits": 0.1, "shapes": 0.25, IMAGENETTE: 4.0, IMAGENET_SAMPLE: 50.0}.get(dataset, 1.0)


def is_stand_in(dataset: str) -> bool:
    """Return whether no conclusion is drawn from a dataset."""
    return dataset in BUILT_IN
