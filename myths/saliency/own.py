"""The user's own pictures under the user's own network: what an attack makes of their maps, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from myths.lab.data.built_in import BUILT_IN
from myths.lab.errors import UsageError
from myths.lab.setting import NAME_OR_NONE, Count, DatasetName, Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.saliency.names import UNTRAINED, AttackName, Method, Schedule, check_layer
from myths.saliency.networks import Pretrained

if TYPE_CHECKING:
    from torch import Tensor, nn

MOST = 16
"""Pictures of a folder that are attacked."""


@dataclass(frozen=True, kw_only=True)
class Attack(Trial):
    """Perturb the user's pictures so that their maps change and the prediction stays.

    ``image`` and ``weights`` are names given to ``myths data add``: of one picture or a folder of them, and of a torchvision
    classifier. ``epsilon`` and ``step`` are in levels of 255. Pictures are cropped to their middle and resized to ``side`` pixels.
    """

    version: ClassVar[int] = 2
    image: DatasetName
    """Picture, or a folder of them, by the name given to `myths data add`."""
    weights: DatasetName
    """Weights of a torchvision classifier, by the name given to `myths data add` or `myths data get`."""
    method: Method = "integrated-gradients"
    """Attribution method that makes the maps."""
    attack: AttackName = "top-k"
    """What the attack moves in the map."""
    epsilon: Annotated[float, Range(above=0)] = 8.0
    """Largest change of a pixel, in levels of 255."""
    label: Annotated[int, Range(at_least=0, also=(-1, "whatever the network predicts"))] = -1
    """The class that is explained, which must be what the network predicts; -1 is whatever it predicts."""
    k: Count = 1000
    """Number of most salient pixels that are compared."""
    iterations: Count = 50
    """Steps of the attack."""
    step: Annotated[float, Range(above=0)] = 0.5
    """Change of a pixel by one step, in levels of 255."""
    checkpoint: Count = 5
    """Steps between two looks at the label."""
    beta: Annotated[float, Range(at_least=0)] = 0.0
    """Sharpness of the softplus that the attack sees the network through; 0 is what suits the weights."""
    attack_passes: Count = 10
    """Passes per map inside the attack, for methods that average."""
    map_passes: Count = 30
    """Passes per map that is compared, for methods that average."""
    side: Annotated[int, Range(at_least=32)] = 224
    """Pixels per side to which pictures are cropped and resized."""
    layer: Annotated[str, NAME_OR_NONE] = ""
    """Layer of Grad-CAM, such as features.10; empty is the last convolution."""
    seed: Seed = 0

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"attack_seconds"})

    def __post_init__(self) -> None:
        """Names may be written with dashes, as they were given to ``myths data add``."""
        super().__post_init__()
        for name in ("image", "weights"):
            object.__setattr__(self, name, getattr(self, name).replace("-", "_"))
        check_layer(self.layer, self.method)

    def __str__(self) -> str:
        """The attack and the picture, in words."""
        return f"{self.attack} attack on {self.method} of {self.image} by {self.weights}"

    @property
    def protocol(self) -> Protocol:
        """Another picture and a shorter schedule than the paper's."""
        return "stand-in" if self.image in BUILT_IN else "reduced"

    @property
    def relative_cost(self) -> float:
        """Passes, in thousands, for 224 pixels."""
        return self.iterations * self.attack_passes / 100

    @property
    def data(self) -> tuple[str, ...]:
        """The picture and the weights."""
        return tuple(name for name in (self.image, self.weights) if name != UNTRAINED)

    @classmethod
    def test_instance(cls) -> Attack:
        """A procedural shape under an untrained SqueezeNet."""
        return cls(image="shapes", weights=UNTRAINED, side=48, k=100, iterations=2, step=4.0, checkpoint=1, attack_passes=2, map_passes=2)

    def run(self, context: Context) -> Outcome:
        """A row for each picture: what is predicted, and the measures of ``comparison.likeness``.

        Raises UsageError for a class that the network does not have or predict, and for settings out of range.
        """
        from myths.lab.timing import Stopwatch
        from myths.saliency.attacks import Perturbation, check_epsilons, perturb
        from myths.saliency.comparison import completeness, gallery, look, row
        from myths.saliency.precision import exact_convolutions
        from myths.saliency.pretrained import load
        from myths.saliency.subjects import Subject, check
        from myths.saliency.trials import explained

        check_epsilons((self.epsilon,))
        network, architecture = load(self.weights, context.device)
        files, images = _pictures(self.image, self.side)
        images = images.to(context.device)
        labels = self._labels(network, images, architecture)
        check(network, images, labels)
        subject = Subject(network, images, labels, tuple(range(len(files))), network.standardize.mean)
        passes = self.attack_passes, self.map_passes
        inside, judged = (explained(subject, self.method, n, context, layer=self.layer) for n in passes)
        beta = self.beta or Pretrained(weights=self.weights).sharpness
        schedule = Schedule(iterations=self.iterations, step=self.step, checkpoint=self.checkpoint, beta=beta)
        with exact_convolutions(), Stopwatch(context.device) as watch:
            how = Perturbation(
                attack=self.attack, inside=inside, judged=judged, epsilons=(self.epsilon,), k=self.k, schedule=schedule
            )  # fmt: skip
            moved = perturb(how, network, images, labels, context.generator("signs", context.device))[self.epsilon]
        with exact_convolutions():
            clean, now = look(subject, judged, images), look(subject, judged, moved)
        arrays = gallery(clean, now, MOST)
        columns: dict[str, list[Any]] = row(clean, now, subject, self.k)
        del columns["image"]
        columns |= completeness(subject, judged)
        told = {"architecture": architecture, "attack_seconds": watch.seconds}
        rows = [
            {
                "file": file,
                "predicted": _class_name(architecture, int(label), network),
                "confidence_percent": round(100 * float(clean.confidence[i]), 2),
                **{name: values[i] for name, values in columns.items()},
                **told,
            }
            for i, (file, label) in enumerate(zip(files, labels.tolist(), strict=True))
        ]
        return Outcome(rows=rows, arrays=arrays)

    def _labels(self, network: nn.Module, images: Tensor, architecture: str) -> Tensor:
        import torch

        from myths.saliency.subjects import check, check_size

        asked = torch.full((len(images),), max(self.label, 0), device=images.device)
        check_size(network, images[:1], str(images.device))
        check(network, images, asked)
        with torch.no_grad():
            predicted = network(images).argmax(1)
        if self.label >= 0 and not bool((predicted == self.label).all()):
            other = int(predicted[predicted != self.label][0])
            raise UsageError(
                f"label={self.label}: {architecture} predicts class {other}, and the attack keeps what it predicts: leave label out"
            )
        return predicted


def _pictures(name: str, side: int) -> tuple[list[str], Tensor]:
    """Up to sixteen pictures as pixel values 0..1 [n, 3, side, side], and their files."""
    import torch.nn.functional as F

    from myths.lab.data.folders import decode, image_folder
    from myths.lab.data.images import image_set

    if name in BUILT_IN:
        pixels = image_set(name, "cpu").x_test[:1].float() / 255
        return [f"{name} 0"], F.interpolate(pixels.expand(-1, 3, -1, -1), size=(side, side))
    folder = image_folder(name)
    few = range(min(MOST, len(folder)))
    return [folder.files[i] for i in few], decode(folder, side, files=few).float() / 255


def _class_name(architecture: str, label: int, network: nn.Module) -> str:
    """ImageNet's name of a class where the network has its thousand, else the number."""
    from torchvision import models

    names = models.get_model_weights(architecture).DEFAULT.meta["categories"]
    thousand = list(network.state_dict().values())[-1].shape[0] == len(names)
    return f"{label} {names[label]}" if thousand else str(label)
