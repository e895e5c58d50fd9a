"""The measurements on many images: attacks on maps, randomized parameters, curvature, influence functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from myths.lab.errors import UsageError
from myths.lab.setting import NAME_OR_NONE, Count, Items, Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.saliency.names import GRADIENT_ATTACKS, SHARPNESS, AttackName, Method, Output, Schedule, check_layer
from myths.saliency.networks import Network, Pretrained, TrainNetwork, stands_in

if TYPE_CHECKING:
    from torch import Tensor

    from myths.saliency.attributions import Explanation
    from myths.saliency.subjects import Subject

SHOWN = 6
"""Images of a trial that are stored for pictures."""
TINY = TrainNetwork(
    dataset="shapes", network="small_cnn", epochs=1.0, batch_size=32, train_examples=512, learning_rate=0.05, precision="fp32"
)


@dataclass(frozen=True, kw_only=True)
class _OnNetwork(Trial):
    """A measurement on images that a network gets right."""

    network: Network
    """Network whose maps are examined."""
    images: Count = 64
    """Number of correctly classified test images."""
    seed: Seed = 0

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        return {**super().columns, **of_network(self.network)}

    @property
    def protocol(self) -> Protocol:
        """That of the data: stand-in where they are embedded."""
        return "stand-in" if stands_in(self.network.dataset) else "reduced"

    @property
    def data(self) -> tuple[str, ...]:
        """The network's."""
        return self.network.data

    def run(self, context: Context) -> Outcome:
        """What ``measure`` gives, by convolutions that round alike on every device."""
        from myths.saliency.precision import exact_convolutions

        with exact_convolutions():
            return self.measure(context)

    def measure(self, context: Context) -> Outcome:
        """Rows and arrays."""
        raise TypeError(f"{type(self).__name__} does not say what it measures")


@dataclass(frozen=True, kw_only=True)
class AttackImages(_OnNetwork):
    """Perturb images within each budget and compare the maps before and after (Ghorbani et al. 2019, Alg. 1 and Fig. 3).

    ``epsilons`` and ``step`` are in levels of 255. ``attack_passes`` are the steps of integrated gradients, or samples of SmoothGrad,
    inside the attack; ``map_passes`` those of the maps that are compared. The other settings are those of ``attacks.Schedule``.
    """

    version: ClassVar[int] = 2
    method: Method
    """Attribution method that makes the maps."""
    attack: AttackName
    """What the attack moves in the map."""
    k: Count = 100
    """Top pixels compared; the paper has 1,000 for ImageNet and 100 for CIFAR-10."""
    epsilons: Annotated[tuple[Annotated[float, Range(above=0)], ...], Items()] = (1.0, 2.0, 4.0, 8.0)
    """Perturbation budgets: the largest change of a pixel, in levels of 255."""
    iterations: Count = 300
    """Steps of the attack."""
    step: Annotated[float, Range(above=0)] = 0.5
    """Change of a pixel by one step, in levels of 255."""
    checkpoint: Count = 1
    """Steps between two looks at the label and the map."""
    shared: bool = False
    """Whether all budgets share one path of the attack."""
    beta: Annotated[float, Range(above=0)] = SHARPNESS
    """Sharpness of the softplus that the attack sees the network through."""
    attack_passes: Count = 100
    """Passes per map inside the attack, for methods that average."""
    map_passes: Count = 100
    """Passes per map that is compared, for methods that average."""
    output: Literal["paper", "logit", "probability"] = "paper"
    """Which output of the network is explained."""
    layer: Annotated[str, NAME_OR_NONE] = ""
    """Layer of Grad-CAM; empty is the last convolution."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"attack_seconds", "chunk", "attack_chunk"})

    def __post_init__(self) -> None:
        """Raise UsageError for a layer with a method that explains none."""
        super().__post_init__()
        check_layer(self.layer, self.method)

    def __str__(self) -> str:
        """The attack, the method and the network, in words."""
        return f"{self.attack} attack on {self.method} of {_words(self.network)}, {self.images} images, seed {self.seed}"

    @property
    def protocol(self) -> Protocol:
        """The paper's on its photographs with its schedule."""
        if stands_in(self.network.dataset):
            return "stand-in"
        full = self.iterations >= 300 and self.step == 0.5 and self.checkpoint == 1 and not self.shared and self.images >= 64
        passes = self.map_passes >= 100 and self.attack_passes >= 100
        own = passes and self.output == "paper" and self.beta == self.network.sharpness
        return "paper" if isinstance(self.network, Pretrained) and full and own else "reduced"

    @property
    def relative_cost(self) -> float:
        """Passes through the network, in thousands, weighted with what a second derivative costs and how large the images are."""
        several = self.method in ("integrated-gradients", "smoothgrad")
        budgets = len(self.epsilons)
        one = 3.0 if self.method == "deeplift" else 1.0
        inside = (self.attack_passes if several else one) * (5.0 if self.attack in GRADIENT_ATTACKS else 0.0)
        outside = self.map_passes if several else one
        trajectories = 1 if self.shared else budgets
        steps = 0 if self.attack == "random" else self.iterations
        judged = steps / self.checkpoint * budgets * outside
        area = {"digits": 0.1, "shapes": 0.25, "imagenette": 4.0, "imagenet_sample": 50.0}.get(self.network.dataset, 1.0)
        return area * self.images * (steps * trajectories * inside + judged + 6 * budgets * outside) / 1000

    @property
    def columns(self) -> Mapping[str, Any]:
        """What tables say of the trial that its settings alone decide."""
        return {**super().columns, "method": method_name(self), "epsilon": self.epsilons}

    @classmethod
    def test_instance(cls) -> AttackImages:
        """Three steps against integrated gradients of six shapes."""
        return cls(
            network=TINY, images=6, method="integrated-gradients", attack="top-k", k=20, epsilons=(2.0, 8.0),
            iterations=3, step=4.0, attack_passes=2, map_passes=4, shared=True,
        )  # fmt: skip

    def measure(self, context: Context) -> Outcome:
        """A row for each budget, 0 first, with lists over the images; see ``comparison.row``. Arrays: some images and maps.

        Raises UsageError for a budget that is not above 0, k beyond the pixels, and more images than the network gets right.
        """
        from myths.lab.timing import Stopwatch
        from myths.saliency.attacks import Perturbation, check_epsilons, perturb
        from myths.saliency.comparison import Seen, gallery, look, row
        from myths.saliency.networks import subject_of

        check_epsilons(self.epsilons)
        subject = subject_of(self.network, context, self.images)
        inside, judged = (self._explanation(subject, passes, context) for passes in (self.attack_passes, self.map_passes))
        signs = context.generator(f"signs {self.attack}", context.device)
        with Stopwatch(context.device) as watch:
            how = Perturbation(
                attack=self.attack, inside=inside, judged=judged, epsilons=self.epsilons, k=self.k, schedule=self.schedule
            )  # fmt: skip
            perturbed = perturb(how, subject.network, subject.images, subject.labels, signs)
        clean = look(subject, judged, subject.images)
        seen: dict[float, Seen] = {0.0: look(subject, judged, subject.images.clone())}
        seen |= {epsilon: look(subject, judged, images) for epsilon, images in perturbed.items()}
        measured = {"attack_seconds": watch.seconds, "chunk": judged.chunk, "attack_chunk": inside.chunk}
        rows = [
            {"kind": "budget", "epsilon": epsilon, **row(clean, now, subject, self.k), **measured} for epsilon, now in sorted(seen.items())
        ]
        rows.append({"kind": "clean", **_of_clean(clean, subject, judged, self.k)})
        return Outcome(rows=rows, arrays=gallery(clean, seen[max(self.epsilons)], SHOWN))

    @property
    def schedule(self) -> Schedule:
        """How the attack goes."""
        return Schedule(iterations=self.iterations, step=self.step, checkpoint=self.checkpoint, beta=self.beta, shared=self.shared)

    def _explanation(self, subject: Subject, passes: int, context: Context) -> Explanation:
        return explained(subject, self.method, passes, context, None if self.output == "paper" else self.output, self.layer)


@dataclass(frozen=True, kw_only=True)
class RandomizeParameters(_OnNetwork):
    """Does a map depend on what the network has learned? Layers are drawn anew from the last to the first (Adebayo et al. 2018)."""

    method: Method
    """Attribution method that makes the maps."""
    k: Count = 100
    """Number of most salient pixels that are compared."""
    map_passes: Count = 50
    """Passes per map, for methods that average."""

    def __str__(self) -> str:
        """The method and the network, in words."""
        return f"randomized parameters under {self.method} of {_words(self.network)}, seed {self.seed}"

    @property
    def relative_cost(self) -> float:
        """Maps at several stages."""
        return self.images * (self.map_passes if self.method in ("integrated-gradients", "smoothgrad") else 1) / 100

    @classmethod
    def test_instance(cls) -> RandomizeParameters:
        """Gradients of eight shapes."""
        return cls(network=TINY, images=8, method="gradient", k=20)

    def measure(self, context: Context) -> Outcome:
        """A row for each stage: layers, of, and lists over the images of spearman, ssim, intersection."""
        from myths.saliency.comparison import likeness
        from myths.saliency.networks import subject_of
        from myths.saliency.randomized import stages

        subject = subject_of(self.network, context, self.images)
        explanation = explained(subject, self.method, self.map_passes, context)
        before = explanation.maps(subject.network, subject.images, subject.labels)
        rows: list[dict[str, Any]] = []
        with context.seed_torch("parameters"):
            for layers, of, network in stages(subject.network, subject.images):
                after = explanation.maps(network, subject.images, subject.labels)
                rows.append({"layers": layers, "of": of, **likeness(before, after, self.k)})
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class Curvature(_OnNetwork):
    """Is it the curvature? The change of the gradient beside that which the Hessian predicts, ε‖H·sign‖ (Sec. "linear analysis").

    The network is taken as it is (sharpness 0), where the Hessian is that of its softplus surrogate of ``beta``, and with softplus of
    each of ``betas``.
    """

    beta: Annotated[float, Range(above=0)] = SHARPNESS
    """Sharpness of the softplus surrogate whose Hessian is taken for the network as it is."""
    betas: Annotated[tuple[Annotated[float, Range(at_least=0)], ...], Items()] = (0.0, 2.0, 10.0, 30.0)
    """Sharpness of softplus in the network; 0 is ReLU."""
    epsilons: Annotated[tuple[Annotated[float, Range(above=0)], ...], Items()] = (1.0, 2.0, 4.0, 8.0)
    """Perturbation budgets: the largest change of a pixel, in levels of 255."""
    k: Count = 100
    """Number of most salient pixels that are compared."""

    def __str__(self) -> str:
        """The network, in words."""
        return f"curvature of {_words(self.network)}, {self.images} images, seed {self.seed}"

    @property
    def relative_cost(self) -> float:
        """Some ten passes for each sharpness."""
        return self.images * len(self.betas) / 30

    @classmethod
    def test_instance(cls) -> Curvature:
        """Eight shapes."""
        return cls(network=TINY, images=8, betas=(0.0, 5.0), epsilons=(1.0, 4.0), k=20)

    def measure(self, context: Context) -> Outcome:
        """A row for each sharpness, direction ("random signs", "top-k attack") and budget, with lists over the images:
        change and predicted (Euclidean norms), gradient (its norm), intersection of the maps."""
        from myths.saliency.curvature import along
        from myths.saliency.networks import subject_of

        subject = subject_of(self.network, context, self.images)
        noise = context.generator("signs", context.device)
        return Outcome(rows=along(subject, self.betas, self.beta, self.epsilons, self.k, noise))


@dataclass(frozen=True, kw_only=True)
class Influence(_OnNetwork):
    """How much each training example helps each test image, before and after a perturbation (Sec. "influence functions", Figs. 4, 5).

    The last layer is retrained to tell ``classes`` apart on ``train`` examples. The attack is one step of the sign against the ``top``
    most helpful training examples.
    """

    classes: Annotated[tuple[Annotated[int, Range(at_least=0)], Annotated[int, Range(at_least=0)]], Items(at_least=2, distinct=True)] = (
        1,
        9,
    )
    """Of CIFAR-10 automobile and truck, alike as the paper's roses and sunflowers."""
    train: Annotated[int, Range(at_least=2)] = 1000
    """Training examples of both classes together."""
    l2: Annotated[float, Range(above=0)] = 0.01
    """Weight decay of the retrained last layer."""
    top: Count = 3
    """Most helpful training examples that the attack works against."""
    epsilons: Annotated[tuple[Annotated[float, Range(above=0)], ...], Items()] = (1.0, 2.0, 4.0, 8.0)
    """Perturbation budgets: the largest change of a pixel, in levels of 255."""

    def __str__(self) -> str:
        """The network, in words."""
        return f"influence of {self.train} training examples in {_words(self.network)}, {self.images} images, seed {self.seed}"

    @property
    def relative_cost(self) -> float:
        """Mostly the retrained layer."""
        return 5.0

    @classmethod
    def test_instance(cls) -> Influence:
        """Discs against rings."""
        return cls(network=TINY, images=6, classes=(0, 2), train=100, epsilons=(4.0,))

    def measure(self, context: Context) -> Outcome:
        """A row for each budget, and for "attack" and "random signs", with lists over the images: spearman of the influences,
        overlap of the five most helpful, label_kept. Raises UsageError for classes that the data set does not have."""
        from myths.lab.vision.classifier import load_classifier
        from myths.saliency.attacks import check_epsilons
        from myths.saliency.influenced import Setup, perturbed_influences

        if isinstance(self.network, Pretrained):
            raise UsageError("influence functions need the images that the network was trained on: give a network trained here")
        check_epsilons(self.epsilons)
        network = load_classifier(self.network, context.outcome(self.network), context.device).requires_grad_(False)
        images, (first, second) = self.network.images(context.device), self.classes
        if max(self.classes) >= len(images.classes):
            raise UsageError(f"classes={first},{second}: {self.network.dataset} has 0 to {len(images.classes) - 1}")
        setup = Setup(classes=self.classes, train=self.train, l2=self.l2, images=self.images, top=self.top, epsilons=self.epsilons)
        return Outcome(rows=perturbed_influences(network, images, setup, context))


def explained(
    subject: Subject, method: Method, passes: int, context: Context, output: Output | None = None, layer: str = ""
) -> Explanation:
    """A method for the images of a subject; SmoothGrad's noise is the stream "noise" of the trial."""
    from myths.saliency.attributions import explanation, noise_for

    images: Tensor = subject.images
    noise = noise_for(method, passes, images, context.generator("noise", context.device))
    return explanation(method, subject.reference, output=output, passes=passes, noise=noise, layer=layer).of(images)


def _of_clean(clean: Any, subject: Subject, judged: Explanation, k: int) -> dict[str, Any]:
    from myths.saliency.comparison import completeness, other_images

    pixels = subject.images.shape[-2] * subject.images.shape[-1]
    return {"k": k, "pixels": pixels, **other_images(clean.maps, k), **completeness(subject, judged)}


def _words(network: Network) -> str:
    return f"{network.network or 'photographs'} on {network.dataset}{'' if network.defence == 'none' else f' ({network.defence})'}"


# --- what tables call it ----------------------------------------------------------------------------


def method_name(trial: AttackImages) -> str:
    """The method, with the output that is explained and the sharpness of the surrogate where they are not the usual ones."""
    output = "" if trial.output == "paper" else f" of the {trial.output}"
    layer = f" at {trial.layer}" if trial.layer else ""
    return f"{trial.method}{layer}{output}{'' if trial.beta == trial.network.sharpness else f' (surrogate of sharpness {trial.beta:g})'}"


def of_network(network: Network) -> dict[str, Any]:
    """What tables say of a network."""
    return {"dataset": network.dataset, "network": network.network, "defence": network.defence, "network_seed": network.seed}
