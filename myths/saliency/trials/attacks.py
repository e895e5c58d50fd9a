"""Attacks on the saliency maps of many images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from myths.lab.setting import NAME_OR_NONE, Count, Items, Range
from myths.lab.trial import Context, Outcome, Protocol
from myths.saliency.names import AVERAGING_METHODS, DEFAULT_BETA, GRADIENT_ATTACKS, AttackName, Method, Schedule, check_layer, check_stop
from myths.saliency.trials.networks import EvaluatePretrained, is_stand_in, relative_cost_per_image
from myths.saliency.trials.on_network import TEST_NETWORK, OnNetwork, describe, trial_attribution

if TYPE_CHECKING:
    from myths.saliency.attributions import Attribution
    from myths.saliency.explained_model import ExplainedModel

PAPER_IMAGES = 256
"""Minimum number of images of the paper's protocol. The paper attacks 512."""
EARLY = 0.83
"""Expected fraction of the cost that remains with ``stop_at``: seconds per image of the published trials fe77c5542752 (with ``stop_at``:
1,372 s for 32 images, beside another trial) and 2c6c6a1f2d62 (without: 3,320 s for 64, alone) of cpu-laptop, both attacks on the simple
gradient in 300 steps. cpu-overnight has no such pair."""
N_EXAMPLES = 6
"""Number of images per trial that are stored for figures."""


@dataclass(frozen=True, kw_only=True)
class AttackImages(OnNetwork):
    """Perturb images within each budget and compare the saliency maps before and after (Ghorbani et al. 2019, Alg. 1 and Fig. 3).

    ``epsilons`` and ``step_size`` are in units of 1/255.
    """

    version: ClassVar[int] = 2
    method: Method
    """Attribution method of the maps."""
    attack: AttackName
    """Attack, or random perturbation, that changes the maps."""
    k: Count = 100
    """Number of top pixels that are compared. The paper uses 1,000 for ImageNet and 100 for CIFAR-10."""
    epsilons: Annotated[tuple[Annotated[float, Range(above=0)], ...], Items()] = (1.0, 2.0, 4.0, 8.0)
    """Perturbation budgets ε (L∞ norm), in units of 1/255."""
    n_iterations: Count = 300
    """Number of steps of the attack."""
    step_size: Annotated[float, Range(above=0)] = 0.5
    """Change of a pixel in one step, in units of 1/255."""
    eval_interval: Count = 1
    """Number of steps between two evaluations of the map."""
    share_trajectory: bool = False
    """Whether to run the attack once, at the largest budget, and project its iterates onto the others. False: one attack per budget."""
    beta: Annotated[float, Range(above=0)] = DEFAULT_BETA
    """β of the softplus surrogate that the attack differentiates."""
    attack_n_steps: Count = 100
    """Steps of integrated gradients, or samples of SmoothGrad, in the attack."""
    n_steps: Count = 100
    """Steps of integrated gradients, or samples of SmoothGrad, in the maps that are compared."""
    output: Literal["paper", "logit", "probability"] = "paper"
    """Output that is explained. "paper" is the probability for integrated gradients and the logit for the other methods."""
    layer: Annotated[str, NAME_OR_NONE] = ""
    """Layer of Grad-CAM. Empty: the last convolution."""
    first: Annotated[int, Range(at_least=0)] = 0
    """Number of correctly classified images to leave out. Tables unite trials on different images."""
    stop_at: Annotated[float, Range(at_least=0, below=1)] = 0.0
    """The attack on an image stops when at most this fraction of its top pixels is left. 0: all steps are taken."""
    image_size: Annotated[int, Range(at_least=1, also=(0, "that of the dataset"))] = 0
    """Size to which the images are reduced, in pixels."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"attack_seconds", "internal_batch_size", "attack_internal_batch_size"})

    def __post_init__(self) -> None:
        """Raise UsageError for a layer with a method other than Grad-CAM, or an attack that cannot stop early."""
        super().__post_init__()
        check_layer(self.layer, self.method)
        check_stop(self.stop_at, self.attack)

    def __str__(self) -> str:
        size = f" of {self.image_size} pixels" if self.image_size else ""
        images = f"{self.images} images{size}{f' after {self.first}' if self.first else ''}"
        return f"{self.attack} attack on {self.method} of {describe(self.network)}, {images}, seed {self.seed}"

    @property
    def protocol(self) -> Protocol:
        """The protocol: "paper", "stand-in" or "reduced".

        It is "paper" for a pretrained network with the paper's schedule, the default settings of the maps and at least ``PAPER_IMAGES``.
        """
        if is_stand_in(self.network.dataset):
            return "stand-in"
        schedule = self.n_iterations >= 300 and self.step_size == 0.5 and self.eval_interval == 1 and not self.share_trajectory
        whole = self.images >= PAPER_IMAGES and not self.image_size
        maps = self.n_steps >= 100 and self.attack_n_steps >= 100 and self.output == "paper" and self.beta == self.network.attack_beta
        return "paper" if isinstance(self.network, EvaluatePretrained) and whole and schedule and maps else "reduced"

    @property
    def relative_cost(self) -> float:
        """Estimated cost: thousands of forward passes, weighted by the cost of second derivatives and the size of the images."""
        averages = self.method in AVERAGING_METHODS
        budgets = len(self.epsilons)
        one = 3.0 if self.method == "deeplift" else 1.0
        per_step = (self.attack_n_steps if averages else one) * (5.0 if self.attack in GRADIENT_ATTACKS else 0.0)
        per_map = self.n_steps if averages else one
        trajectories = 1 if self.share_trajectory else budgets
        steps = 0.0 if self.attack == "random" else self.n_iterations * (EARLY if self.stop_at else 1.0)
        evaluations = steps / self.eval_interval * budgets * per_map
        area = (self.image_size / 32) ** 2 if self.image_size else relative_cost_per_image(self.network.dataset)
        return area * self.images * (steps * trajectories * per_step + evaluations + 6 * budgets * per_map) / 1000

    @property
    def columns(self) -> Mapping[str, Any]:
        """Table columns that are computed from the settings."""
        return {**super().columns, "method": method_name(self), "epsilon": self.epsilons}

    @classmethod
    def test_instance(cls) -> AttackImages:
        """Return a trial with three attack steps on integrated gradients of six procedural images."""
        return cls(
            network=TEST_NETWORK, images=6, method="integrated-gradients", attack="top-k", k=20, epsilons=(2.0, 8.0),
            n_iterations=3, step_size=4.0, attack_n_steps=2, n_steps=4, share_trajectory=True,
        )  # fmt: skip

    def measure(self, context: Context) -> Outcome:
        """Return one row per budget, starting with ε = 0, and one row of ``kind`` "clean".

        List-valued columns have one entry per image (see ``comparison.compare``).

        Arrays: a few images and maps before and after the attack.

        Raises:
            UsageError: ``k`` exceeds the number of pixels, or the network classifies fewer images correctly than requested.
        """
        from myths.lab.measurement.timing import Stopwatch
        from myths.saliency.attacks import AttackConfig, perturb
        from myths.saliency.comparison import ExplainedImages, compare, completeness_error, example_arrays, explain_images, null_similarity
        from myths.saliency.trials.networks import load_explained_model

        model = load_explained_model(self.network, context, self.images, first=self.first, image_size=self.image_size)
        attack_attribution, eval_attribution = (self._attribution(model, n, context) for n in (self.attack_n_steps, self.n_steps))
        config = AttackConfig(
            attack=self.attack, attack_attribution=attack_attribution, eval_attribution=eval_attribution,
            epsilons=self.epsilons, k=self.k, schedule=self.schedule,
        )  # fmt: skip
        signs = context.generator(f"signs {self.attack}", context.device)
        with Stopwatch(context.device) as stopwatch:
            perturbed = perturb(config, model.network, model.images, model.labels, signs)
        clean = explain_images(model, eval_attribution, model.images)
        explained: dict[float, ExplainedImages] = {0.0: explain_images(model, eval_attribution, model.images.clone())}
        explained |= {epsilon: explain_images(model, eval_attribution, images) for epsilon, images in perturbed.items()}
        resources = {
            "attack_seconds": stopwatch.seconds,
            "internal_batch_size": eval_attribution.internal_batch_size,
            "attack_internal_batch_size": attack_attribution.internal_batch_size,
        }
        rows = [
            {"kind": "budget", "epsilon": epsilon, **compare(clean, after, model, self.k), **resources}
            for epsilon, after in sorted(explained.items())
        ]
        pixels = model.images.shape[-2] * model.images.shape[-1]
        null, error = null_similarity(clean.maps, self.k), completeness_error(model, eval_attribution)
        rows.append({"kind": "clean", "k": self.k, "pixels": pixels, **null, **error})
        return Outcome(rows=rows, arrays=example_arrays(clean, explained[max(self.epsilons)], N_EXAMPLES))

    @property
    def schedule(self) -> Schedule:
        """Schedule of the attack."""
        return Schedule(
            n_iterations=self.n_iterations, step_size=self.step_size, eval_interval=self.eval_interval, beta=self.beta,
            share_trajectory=self.share_trajectory, stop_at=self.stop_at,
        )  # fmt: skip

    def _attribution(self, model: ExplainedModel, n_steps: int, context: Context) -> Attribution:
        output = None if self.output == "paper" else self.output
        return trial_attribution(model, self.method, n_steps, context, output=output, layer=self.layer)


def method_name(trial: AttackImages) -> str:
    """Return the name of the method in tables. It includes the layer, output and β if they differ from the defaults."""
    output = "" if trial.output == "paper" else f" of the {trial.output}"
    layer = f" at {trial.layer}" if trial.layer else ""
    beta = "" if trial.beta == trial.network.attack_beta else f" (surrogate β = {trial.beta:g})"
    return f"{trial.method}{layer}{output}{beta}"
