"""The networks that are explained: trained here, plainly, against perturbations or with softplus; or brought by the user."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from myths.lab.setting import DatasetName, Range
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.lab.vision.classifier import BUILT_IN, TrainClassifier, load_classifier
from myths.saliency.names import LEVEL, SAMPLE, SHARPNESS, SHARPNESS_OF_CAFFE, SQUEEZENET, UNTRAINED

if TYPE_CHECKING:
    from torch import Tensor, nn

    from myths.lab.data.images import ImageSet
    from myths.lab.vision.networks import Classifier
    from myths.saliency.subjects import Subject

IMAGENETTE = "imagenette"
MAIN = "resnet8"
"""The network that the claims are about. It pools by the mean: where a maximum changes hands the gradient jumps as at a ReLU, but
softplus does not smooth it, so that the analysis of curvature would not hold."""


@dataclass(frozen=True, kw_only=True)
class TrainNetwork(TrainClassifier):
    """Train a network that is to be explained: as it is, robustly, or with softplus in place of ReLU.

    ``dataset`` is one that the suite knows, or "imagenette": photographs of ten classes at 64 pixels.
    """

    adversarial_epsilon: Annotated[float, Range(at_least=0)] = 0.0
    """Budget, in levels of 255, of the perturbations trained on (Wong et al. 2020); 0 is none."""
    beta: Annotated[float, Range(at_least=0)] = 0.0
    """Sharpness of the softplus that takes the place of ReLU, in training and after (Dombrowski et al. 2019); 0 is ReLU."""

    def __str__(self) -> str:
        """What is trained on what, in words."""
        return f"train {self.network} on {self.dataset}{'' if self.defence == 'none' else f' ({self.defence})'}, seed {self.seed}"

    @property
    def defence(self) -> str:
        """What sets it apart from the plain network: "adversarial", "softplus 2", or "none"."""
        parts = ["adversarial"] * (self.adversarial_epsilon > 0) + [f"softplus {self.beta:g}"] * (self.beta > 0)
        return ", ".join(parts) or "none"

    @property
    def sharpness(self) -> float:
        """Of the softplus that an attack sees it through."""
        return SHARPNESS

    @property
    def relative_cost(self) -> float:
        """As for a plain training; the perturbations double it, softplus costs a half more."""
        pixels = 4.0 if self.dataset == IMAGENETTE else 1.0
        examples = self.train_examples or (700 if self.dataset == IMAGENETTE else 50_000)
        plain = super().relative_cost * examples / (self.train_examples or 50_000)
        return pixels * plain * (2.0 if self.adversarial_epsilon else 1.0) * (1.5 if self.beta else 1.0)

    @property
    def data(self) -> tuple[str, ...]:
        """The one data set; the photographs are a part of ``dataset_bias``."""
        return ("dataset_bias",) if self.dataset == IMAGENETTE else (self.dataset,)

    @classmethod
    def test_instance(cls) -> TrainNetwork:
        """An epoch of the small CNN on 128 procedural shapes, perturbed, with softplus."""
        return cls(
            dataset="shapes", network="small_cnn", epochs=1.0, batch_size=32, train_examples=128, precision="fp32",
            adversarial_epsilon=4.0, beta=5.0,
        )  # fmt: skip

    def images(self, device: str) -> ImageSet:
        """The images it is trained and tested on."""
        from myths.lab.data.images import image_set
        from myths.saliency.photographs import imagenette

        return imagenette(device) if self.dataset == IMAGENETTE else image_set(self.dataset, device)

    def subset(self, context: Context, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the training examples that it takes, shuffled also where they are all."""
        import torch

        kept = torch.from_numpy(context.rng("subset").permutation(len(x)))[: self.train_examples or None].to(context.device)
        return x[kept], y[kept]

    def train_network(self, context: Context, network: Classifier, x: Tensor, y: Tensor) -> dict[str, Any]:
        """Train the network in place, robustly or with softplus. Return what a row says of the training."""
        from myths.lab.timing import Stopwatch
        from myths.lab.vision.training import fit_seeded
        from myths.saliency.robust_training import RobustTraining
        from myths.saliency.surrogate import softened

        smooth, config = softened(network, self.beta), self.train_config(context.device)
        with Stopwatch(context.device) as watch:
            if self.adversarial_epsilon:
                robust = RobustTraining(config, self.adversarial_epsilon * LEVEL, context.device)
                draws = {"augmentation": "augment", "start": "start"}
                streams = {name: context.generator(axis, context.device) for name, axis in draws.items()}
                with context.seed_torch("dropout"):
                    loss = robust.fit(smooth, x, y, order=context.generator("order"), **streams)
            else:
                loss = fit_seeded(context, smooth, x, y, config).loss
        examples_per_second = self.epochs * len(x) / watch.seconds
        return {
            "train_loss": loss, "train_seconds": watch.seconds, "examples_per_second": examples_per_second, "precision": config.precision
        }  # fmt: skip

    def evaluate(self, context: Context, network: Classifier, images: ImageSet) -> dict[str, Any]:
        """Return what a row says of the test, in single precision."""
        from myths.lab.vision.training import accuracy, predict
        from myths.saliency.surrogate import softened

        logits = predict(softened(network, self.beta), images.x_test, device=context.device)
        return {"test_accuracy_percent": 100 * accuracy(logits, images.y_test)}


@dataclass(frozen=True, kw_only=True)
class Pretrained(Trial):
    """A network of torchvision by weights of the catalog or the user's, and how it does on the photographs of ``imagenet_sample``."""

    weights: DatasetName = SQUEEZENET
    """The paper's network, or the name that a user's weights were added under."""

    def __str__(self) -> str:
        """Whose weights."""
        return f"pretrained network {self.weights}"

    @property
    def network(self) -> str:
        """The name of its weights."""
        return self.weights

    @property
    def defence(self) -> str:
        """None that is known of."""
        return "none"

    @property
    def sharpness(self) -> float:
        """Of the softplus that an attack sees it through."""
        return SHARPNESS_OF_CAFFE if self.weights == SQUEEZENET else SHARPNESS

    @property
    def seed(self) -> int:
        """There is but one."""
        return 0

    @property
    def protocol(self) -> Protocol:
        """The paper's network is such a one; the untrained stands in for it."""
        return "stand-in" if self.weights == UNTRAINED else "paper"

    @property
    def data(self) -> tuple[str, ...]:
        """The weights and the photographs."""
        return (SAMPLE, self.weights) if self.weights != UNTRAINED else ()

    @property
    def dataset(self) -> str:
        """The photographs."""
        return "shapes" if self.weights == UNTRAINED else SAMPLE

    def skip_reason(self) -> str | None:
        """The photographs have no download, so that a profile goes on without them; own weights that are to be explained need them."""
        from myths.lab.data import prepared

        absent = [name for name in self.data if prepared.find(name) is None]
        if self.weights != SQUEEZENET or not absent:
            return None
        return f"needs {' and '.join(absent)}: `myths data list` says where they are to be had"

    @classmethod
    def test_instance(cls) -> Pretrained:
        """SqueezeNet as it is before training, on procedural shapes."""
        return cls(weights=UNTRAINED)

    def images(self, device: str) -> ImageSet:
        """The photographs; shapes for the untrained network."""
        from myths.lab.data.images import image_set
        from myths.saliency.photographs import imagenet_sample

        if self.weights != UNTRAINED:
            return imagenet_sample(device)
        shapes = image_set("shapes", device)
        large = shapes.x_test[:60].repeat_interleave(4, 2).repeat_interleave(4, 3)  # SqueezeNet takes no 16 pixels
        return replace(shapes, x_train=None, y_train=None, x_test=large, y_test=shapes.y_test[:60])

    def run(self, context: Context) -> Outcome:
        """One row: the architecture, its accuracy on the photographs."""
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


Network = TrainNetwork | Pretrained


def subject_of(trial: Network, context: Context, n: int) -> Subject:
    """The trained network of a dependency with the first ``n`` of its shuffled test images that it gets right.

    The draw of the images depends on the seed of the trial in ``context`` only.
    """
    from myths.lab.vision.training import predict
    from myths.saliency.pretrained import load
    from myths.saliency.subjects import subject
    from myths.saliency.surrogate import softened

    images = trial.images(context.device)
    if isinstance(trial, Pretrained):
        pretrained, _ = load(trial.weights, context.device)
        module: nn.Module = pretrained
        mean, labels = pretrained.standardize.mean, images.y_test
        if trial.weights == UNTRAINED:  # it gets nothing right, so that what it says is taken for right
            labels = predict(module, images.x_test, device=context.device).argmax(1).to(labels.device)
    else:
        classifier = load_classifier(trial, context.outcome(trial), context.device)
        module, mean, labels = softened(classifier, trial.beta), classifier.standardize.mean, images.y_test
    return subject(module, mean, images.x_test, labels, n, context.rng("images"))


def stands_in(dataset: str) -> bool:
    """Whether nothing is concluded from this data set."""
    return dataset in BUILT_IN
