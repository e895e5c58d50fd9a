"""Saliency maps under everyday changes of photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from myths.lab.setting import NAME_OR_NONE, Count, Items
from myths.lab.trial import Context, Outcome
from myths.saliency.names import AVERAGING_METHODS, CHANGES, Change, Method, check_layer
from myths.saliency.trials.networks import relative_cost_per_image
from myths.saliency.trials.on_network import TEST_NETWORK, OnNetwork, describe, trial_attribution


@dataclass(frozen=True, kw_only=True)
class ChangeImages(OnNetwork):
    """Compare the maps of images before and after a shift by 2 pixels, a rotation by 5°, JPEG of quality 75, and 10 % more or less light.

    The maps of moved images are moved back before they are compared.
    """

    method: Method
    """Attribution method of the maps."""
    k: Count = 100
    """Number of top pixels that are compared."""
    n_steps: Count = 50
    """Steps of integrated gradients, or samples of SmoothGrad."""
    layer: Annotated[str, NAME_OR_NONE] = ""
    """Layer of Grad-CAM. Empty: the last convolution."""
    changes: Annotated[tuple[Change, ...], Items(distinct=True)] = CHANGES
    """Changes of the images."""

    def __post_init__(self) -> None:
        """Raise UsageError for a layer with a method other than Grad-CAM."""
        super().__post_init__()
        check_layer(self.layer, self.method)

    def __str__(self) -> str:
        return f"everyday changes under {self.method} of {describe(self.network)}, {self.images} images, seed {self.seed}"

    @property
    def relative_cost(self) -> float:
        """Estimated cost: thousands of forward passes of images of 32 pixels."""
        area = relative_cost_per_image(self.network.dataset)
        return area * self.images * (len(self.changes) + 1) * (self.n_steps if self.method in AVERAGING_METHODS else 2) / 1000

    @classmethod
    def test_instance(cls) -> ChangeImages:
        """Return a trial on gradients of eight procedural images."""
        return cls(network=TEST_NETWORK, images=8, method="gradient", k=20)

    def measure(self, context: Context) -> Outcome:
        """Return one row per change: lists over the images of the similarity measures and of whether the label is kept."""
        import torch

        from myths.saliency.comparison import explain_images, rounded
        from myths.saliency.everyday_changes import changed, motion, similarity
        from myths.saliency.trials.networks import load_explained_model

        model = load_explained_model(self.network, context, self.images)
        attribution = trial_attribution(model, self.method, self.n_steps, context, layer=self.layer)
        clean = explain_images(model, attribution, model.images)
        rows = []
        for change in self.changes:
            drawn = torch.randint(0, 2, (len(model),), generator=context.generator(f"direction of {change}"))
            signs = (2 * drawn - 1).to(model.images)
            moved = motion(change, signs, model.images.shape[-1])
            after = explain_images(model, attribution, changed(model.images, change, signs, moved))
            found = similarity(clean.maps, after.maps, self.k, moved)
            kept = (after.predicted == model.labels).tolist()
            columns = {name: rounded(values) for name, values in found.items()}
            rows.append({"change": change, "image": list(model.indices), "label_kept": kept, **columns})
        return Outcome(rows=rows)
