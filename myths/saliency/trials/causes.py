"""Why saliency maps are fragile, and whether they depend on the network: randomized parameters, curvature, influence functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from myths.lab.errors import UsageError
from myths.lab.setting import Count, Items, Range
from myths.lab.trial import Context, Outcome
from myths.saliency.names import AVERAGING_METHODS, DEFAULT_BETA, Method
from myths.saliency.trials.networks import EvaluatePretrained, relative_cost_per_image
from myths.saliency.trials.on_network import TEST_NETWORK, OnNetwork, describe, trial_attribution


@dataclass(frozen=True, kw_only=True)
class RandomizeParameters(OnNetwork):
    """Compare the maps of a trained network with those after randomizing its layers from last to first (Adebayo et al. 2018)."""

    method: Method
    """Attribution method of the maps."""
    k: Count = 100
    """Number of top pixels that are compared."""
    n_steps: Count = 50
    """Steps of integrated gradients, or samples of SmoothGrad."""

    def __str__(self) -> str:
        return f"randomized parameters under {self.method} of {describe(self.network)}, seed {self.seed}"

    @property
    def relative_cost(self) -> float:
        """Estimated cost of the maps at all stages."""
        passes = self.n_steps if self.method in AVERAGING_METHODS else 1
        return relative_cost_per_image(self.network.dataset) * self.images * passes / 100

    @classmethod
    def test_instance(cls) -> RandomizeParameters:
        """Return a trial on gradients of eight procedural images."""
        return cls(network=TEST_NETWORK, images=8, method="gradient", k=20)

    def measure(self, context: Context) -> Outcome:
        """Return one row per stage: ``n_randomized`` of ``n_layers`` layers, and lists over the images of each similarity measure."""
        from myths.saliency.comparison import map_similarity
        from myths.saliency.parameter_randomization import cascading_randomization
        from myths.saliency.trials.networks import load_explained_model

        model = load_explained_model(self.network, context, self.images)
        attribution = trial_attribution(model, self.method, self.n_steps, context)
        trained = attribution.maps(model.network, model.images, model.labels)
        rows: list[dict[str, Any]] = []
        with context.seed_torch("parameters"):
            for n_randomized, n_layers, network in cascading_randomization(model.network, model.images):
                maps = attribution.maps(network, model.images, model.labels)
                rows.append({"n_randomized": n_randomized, "n_layers": n_layers, **map_similarity(trained, maps, self.k)})
        return Outcome(rows=rows)


@dataclass(frozen=True, kw_only=True)
class MeasureCurvature(OnNetwork):
    """Compare the change of the gradient with ε‖H·sign‖, which the Hessian predicts (Ghorbani et al. 2019, linear analysis).

    The ReLU network (β = 0) has no Hessian; the Hessian of its softplus surrogate (``surrogate_beta``) replaces it.
    """

    surrogate_beta: Annotated[float, Range(above=0)] = DEFAULT_BETA
    """β of the softplus surrogate that provides the Hessian of the ReLU network."""
    betas: Annotated[tuple[Annotated[float, Range(at_least=0)], ...], Items()] = (0.0, 2.0, 10.0, 30.0)
    """Values of β for the network itself. 0 is ReLU."""
    epsilons: Annotated[tuple[Annotated[float, Range(above=0)], ...], Items()] = (1.0, 2.0, 4.0, 8.0)
    """Perturbation budgets ε (L∞ norm), in units of 1/255."""
    k: Count = 100
    """Number of top pixels that are compared."""

    def __str__(self) -> str:
        return f"curvature of {describe(self.network)}, {self.images} images, seed {self.seed}"

    @property
    def relative_cost(self) -> float:
        """Estimated cost: about ten passes per β."""
        return relative_cost_per_image(self.network.dataset) * self.images * len(self.betas) / 30

    @classmethod
    def test_instance(cls) -> MeasureCurvature:
        """Return a trial on eight procedural images and two values of β."""
        return cls(network=TEST_NETWORK, images=8, betas=(0.0, 5.0), epsilons=(1.0, 4.0), k=20)

    def measure(self, context: Context) -> Outcome:
        """Return one row per β, direction ("random signs", "top-k attack") and budget, with lists over the images.

        The lists are the Euclidean norms of the gradient, its change and its predicted change, and the top-k intersection of the maps.
        """
        from myths.saliency.curvature import CurvatureConfig, measure_curvature
        from myths.saliency.trials.networks import load_explained_model

        model = load_explained_model(self.network, context, self.images)
        config = CurvatureConfig(betas=self.betas, surrogate_beta=self.surrogate_beta, epsilons=self.epsilons, k=self.k)
        return Outcome(rows=measure_curvature(model, config, context.generator("signs", context.device)))


@dataclass(frozen=True, kw_only=True)
class MeasureInfluence(OnNetwork):
    """Compare the influence of training examples on test images before and after a perturbation (Ghorbani et al. 2019, Figs. 4 and 5).

    The last layer is retrained to classify ``classes`` on ``n_train`` examples. The attack is one signed gradient step that lowers the
    influence of the ``n_helpful`` most helpful training examples.
    """

    classes: Annotated[tuple[Annotated[int, Range(at_least=0)], Annotated[int, Range(at_least=0)]], Items(at_least=2, distinct=True)] = (
        1,
        9,
    )
    """Two classes. On CIFAR-10, automobile and truck are similar, as are the paper's roses and sunflowers."""
    n_train: Annotated[int, Range(at_least=2)] = 1000
    """Number of training examples, both classes together."""
    l2: Annotated[float, Range(above=0)] = 0.01
    """L2 penalty of the retrained last layer."""
    n_helpful: Count = 3
    """Number of most helpful training examples that the attack targets."""
    epsilons: Annotated[tuple[Annotated[float, Range(above=0)], ...], Items()] = (1.0, 2.0, 4.0, 8.0)
    """Perturbation budgets ε (L∞ norm), in units of 1/255."""

    def __str__(self) -> str:
        return f"influence of {self.n_train} training examples in {describe(self.network)}, {self.images} images, seed {self.seed}"

    @property
    def relative_cost(self) -> float:
        """Estimated cost. Retraining the last layer dominates."""
        return relative_cost_per_image(self.network.dataset) * self.n_train / 100

    @classmethod
    def test_instance(cls) -> MeasureInfluence:
        """Return a trial on discs and rings."""
        return cls(network=TEST_NETWORK, images=6, classes=(0, 2), n_train=100, epsilons=(4.0,))

    def measure(self, context: Context) -> Outcome:
        """Return one row per direction ("attack", "random signs") and budget, with lists over the images.

        The lists are the rank correlation of the influences, the overlap of the five most helpful examples, and whether the label is kept.

        Raises:
            UsageError: The dataset does not have the classes, or the network was not trained by this suite.
        """
        from myths.lab.vision.classifier import load_classifier
        from myths.saliency.influence_attack import InfluenceConfig, perturbed_influences

        if isinstance(self.network, EvaluatePretrained):
            raise UsageError("Influence functions need the training images: use a network that this suite trains (TrainNetwork).")
        network = load_classifier(self.network, context.outcome(self.network), context.device).requires_grad_(False)
        images, (first, second) = self.network.images(context.device), self.classes
        if max(self.classes) >= len(images.classes):
            raise UsageError(f"classes={first},{second}: {self.network.dataset} has the classes 0 to {len(images.classes) - 1}")
        config = InfluenceConfig(
            classes=self.classes, n_train=self.n_train, l2=self.l2, images=self.images, n_helpful=self.n_helpful, epsilons=self.epsilons
        )
        return Outcome(rows=perturbed_influences(network, images, config, context))
