"""Attack on the user's images under the user's network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from myths.lab.data.built_in import BUILT_IN
from myths.lab.errors import UsageError
from myths.lab.setting import NAME_OR_NONE, Count, DatasetName, Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.saliency.names import UNTRAINED, AttackName, Method, Schedule, check_layer
from myths.saliency.trials.networks import EvaluatePretrained

if TYPE_CHECKING:
    from torch import Tensor, nn

MAX_IMAGES = 16
"""Maximum number of images of a folder that are attacked."""


@dataclass(frozen=True, kw_only=True)
class AttackUserImages(Trial):
    """Perturb your images so that their saliency maps change and the predictions stay.

    ``image`` and ``weights`` are names given to ``myths data add``. ``epsilon`` and ``step_size`` are in units of 1/255. Images are cropped
    to their center and resized to ``image_size`` pixels.
    """

    version: ClassVar[int] = 2
    image: DatasetName
    """Name of an image, or of a folder of images, given to `myths data add`."""
    weights: DatasetName
    """Name of weights of a torchvision classifier, given to `myths data add` or `myths data get`."""
    method: Method = "integrated-gradients"
    """Attribution method of the maps."""
    attack: AttackName = "top-k"
    """Attack, or random perturbation, that changes the maps."""
    epsilon: Annotated[float, Range(above=0)] = 8.0
    """Largest change of a pixel, in units of 1/255."""
    target: Annotated[int, Range(at_least=0, also=(-1, "the predicted class"))] = -1
    """Class that is explained. It must be the predicted class. -1: the predicted class."""
    k: Count = 1000
    """Number of top pixels that are compared."""
    n_iterations: Count = 50
    """Number of steps of the attack."""
    step_size: Annotated[float, Range(above=0)] = 0.5
    """Change of a pixel in one step, in units of 1/255."""
    eval_interval: Count = 5
    """Number of steps between two evaluations of the map."""
    beta: Annotated[float, Range(at_least=0)] = 0.0
    """β of the softplus surrogate that the attack differentiates. 0: the default for the weights."""
    attack_n_steps: Count = 10
    """Steps of integrated gradients, or samples of SmoothGrad, in the attack."""
    n_steps: Count = 30
    """Steps of integrated gradients, or samples of SmoothGrad, in the maps that are compared."""
    image_size: Annotated[int, Range(at_least=32)] = 224
    """Height and width, in pixels, to which images are cropped and resized."""
    layer: Annotated[str, NAME_OR_NONE] = ""
    """Layer of Grad-CAM, such as features.10. Empty: the last convolution."""
    seed: Seed = 0

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"attack_seconds"})

    def __post_init__(self) -> None:
        """Replace dashes in names by underscores, and raise UsageError for a layer with a method other than Grad-CAM."""
        super().__post_init__()
        for name in ("image", "weights"):
            object.__setattr__(self, name, getattr(self, name).replace("-", "_"))
        check_layer(self.layer, self.method)

    def __str__(self) -> str:
        return f"{self.attack} attack on {self.method} of {self.image} by {self.weights}"

    @property
    def protocol(self) -> Protocol:
        """Reduced: other images and a shorter schedule than the paper's. Stand-in on built-in images."""
        return "stand-in" if self.image in BUILT_IN else "reduced"

    @property
    def relative_cost(self) -> float:
        """Estimated cost: thousands of forward passes, for images of 224 pixels."""
        return self.n_iterations * self.attack_n_steps / 100

    @property
    def data(self) -> tuple[str, ...]:
        """The images and the weights."""
        return tuple(name for name in (self.image, self.weights) if name != UNTRAINED)

    @classmethod
    def test_instance(cls) -> AttackUserImages:
        """Return a trial on a procedural image and an untrained SqueezeNet."""
        return cls(
            image="shapes", weights=UNTRAINED, image_size=48, k=100, n_iterations=2, step_size=4.0, eval_interval=1,
            attack_n_steps=2, n_steps=2,
        )  # fmt: skip

    def run(self, context: Context) -> Outcome:
        """Return one row per image: the prediction, and the columns of ``comparison.compare``.

        Arrays: the images and maps before and after the attack.

        Raises:
            UsageError: The network does not have or does not predict the class ``target``, or ``k`` exceeds the number of pixels.
        """
        from myths.lab.measurement.timing import Stopwatch
        from myths.saliency.attacks import AttackConfig, perturb
        from myths.saliency.comparison import compare, completeness_error, example_arrays, explain_images
        from myths.saliency.determinism import exact_convolutions
        from myths.saliency.explained_model import ExplainedModel, check_inputs
        from myths.saliency.pretrained import load
        from myths.saliency.trials.on_network import trial_attribution

        network, architecture = load(self.weights, context.device)
        files, images = _load_images(self.image, self.image_size)
        images = images.to(context.device)
        labels = self._labels(network, images, architecture)
        check_inputs(network, images, labels)
        model = ExplainedModel(network, images, labels, tuple(range(len(files))), network.standardize.mean)
        attack_attribution, eval_attribution = (
            trial_attribution(model, self.method, n, context, layer=self.layer) for n in (self.attack_n_steps, self.n_steps)
        )
        beta = self.beta or EvaluatePretrained(weights=self.weights).attack_beta
        schedule = Schedule(n_iterations=self.n_iterations, step_size=self.step_size, eval_interval=self.eval_interval, beta=beta)
        config = AttackConfig(
            attack=self.attack, attack_attribution=attack_attribution, eval_attribution=eval_attribution,
            epsilons=(self.epsilon,), k=self.k, schedule=schedule,
        )  # fmt: skip
        with exact_convolutions(), Stopwatch(context.device) as stopwatch:
            perturbed = perturb(config, network, images, labels, context.generator("signs", context.device))[self.epsilon]
        with exact_convolutions():
            clean, after = (explain_images(model, eval_attribution, each) for each in (images, perturbed))
            columns: dict[str, list[Any]] = compare(clean, after, model, self.k)
            del columns["image"]
            columns |= completeness_error(model, eval_attribution)
        rows = [
            {
                "file": file,
                "predicted": _class_name(architecture, int(label), network),
                "confidence_percent": round(100 * float(clean.confidence[i]), 2),
                **{name: values[i] for name, values in columns.items()},
                "architecture": architecture,
                "attack_seconds": stopwatch.seconds,
            }
            for i, (file, label) in enumerate(zip(files, labels.tolist(), strict=True))
        ]
        return Outcome(rows=rows, arrays=example_arrays(clean, after, MAX_IMAGES))

    def _labels(self, network: nn.Module, images: Tensor, architecture: str) -> Tensor:
        import torch

        from myths.saliency.explained_model import check_inputs, check_shape

        targets = torch.full((len(images),), max(self.target, 0), device=images.device)
        check_shape(network, images[:1], str(images.device))
        check_inputs(network, images, targets)
        with torch.no_grad():
            predicted = network(images).argmax(1)
        if self.target >= 0 and not bool((predicted == self.target).all()):
            other = int(predicted[predicted != self.target][0])
            raise UsageError(
                f"target={self.target}: {architecture} predicts class {other}. The attack needs the predicted class: omit target."
            )
        return predicted


def _load_images(name: str, image_size: int) -> tuple[list[str], Tensor]:
    """Return the file names and pixel values 0..1 of up to ``MAX_IMAGES`` images [n, 3, image_size, image_size]."""
    import torch.nn.functional as F

    from myths.lab.data.folders import decode, image_folder
    from myths.lab.data.images import image_set

    if name in BUILT_IN:
        pixels = image_set(name, "cpu").x_test[:1].float() / 255
        return [f"{name} 0"], F.interpolate(pixels.expand(-1, 3, -1, -1), size=(image_size, image_size))
    folder = image_folder(name)
    first = range(min(MAX_IMAGES, len(folder)))
    return [folder.files[i] for i in first], decode(folder, image_size, files=first).float() / 255


def _class_name(architecture: str, label: int, network: nn.Module) -> str:
    """Return the number of a class, with its name if the network has the 1,000 classes of ImageNet."""
    from torchvision import models

    names = models.get_model_weights(architecture).DEFAULT.meta["categories"]
    is_imagenet = list(network.state_dict().values())[-1].shape[0] == len(names)
    return f"{label} {names[label]}" if is_imagenet else str(label)
