"""Base class of the trials that explain a network, and what these trials share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from myths.lab.setting import Count, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial
from myths.saliency.names import Method, Output
from myths.saliency.trials.networks import Network, TrainNetwork, is_stand_in

if TYPE_CHECKING:
    from myths.saliency.attributions import Attribution
    from myths.saliency.explained_model import ExplainedModel

TEST_NETWORK = TrainNetwork(
    dataset="shapes", network="small_cnn", epochs=1.0, batch_size=32, train_examples=512, learning_rate=0.05, precision="fp32"
)
"""Network of the test instances."""


@dataclass(frozen=True, kw_only=True)
class OnNetwork(Trial):
    """A measurement on images that a network classifies correctly."""

    network: Network
    """Network that is explained."""
    images: Count = 64
    """Number of correctly classified test images."""
    seed: Seed = 0

    @property
    def columns(self) -> Mapping[str, Any]:
        """Columns of tables that follow from the settings."""
        return {**super().columns, **network_columns(self.network)}

    @property
    def protocol(self) -> Protocol:
        """Stand-in on built-in data, else reduced."""
        return "stand-in" if is_stand_in(self.network.dataset) else "reduced"

    @property
    def data(self) -> tuple[str, ...]:
        """Datasets of the network."""
        return self.network.data

    def run(self, context: Context) -> Outcome:
        """Measure with deterministic float32 convolutions."""
        from myths.saliency.determinism import exact_convolutions

        with exact_convolutions():
            return self.measure(context)

    def measure(self, context: Context) -> Outcome:
        """Return rows and arrays."""
        raise TypeError(f"{type(self).__name__} does not implement measure()")


def network_columns(network: Network) -> dict[str, Any]:
    """Return the columns that describe a network."""
    return {"dataset": network.dataset, "network": network.network, "defense": network.defense, "network_seed": network.seed}


def describe(network: Network) -> str:
    """Return a network and its dataset as text."""
    defense = "" if network.defense == "none" else f" ({network.defense})"
    return f"{network.network} on {network.dataset}{defense}"


def trial_attribution(
    model: ExplainedModel, method: Method, n_steps: int, context: Context, *, output: Output | None = None, layer: str = ""
) -> Attribution:
    """Return an attribution method for the images of a model. The noise of SmoothGrad comes from the random stream "noise" of the trial."""
    from myths.saliency.attributions import make_attribution, noise_for

    noise = noise_for(method, n_steps, model.images, context.generator("noise", context.device))
    attribution = make_attribution(method, model.baseline, output=output, n_steps=n_steps, noise=noise, layer=layer)
    return attribution.batched_for(model.images)
