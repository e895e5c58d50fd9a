"""Extract the learned kernels of a model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float

from myths.lab.language.parallel_corpus import Pairs
from myths.lab.language.transformer import EncoderDecoder
from myths.lab.language.vocabulary import PAD
from myths.lightweight_conv.layers.dynamic import DynamicConv
from myths.lightweight_conv.layers.lightweight import LightweightConv

MAX_SENTENCES = 64
"""Number of sentences over whose positions dynamic kernels are averaged."""
MAX_HEADS = 16
"""Maximum number of heads of a layer whose kernels are extracted. Depthwise convolutions have more."""


def learned_kernels(model: EncoderDecoder, pairs: Pairs) -> dict[str, Float[np.ndarray, "heads k"]]:
    """Return the kernels of each layer by stack and index ("kernel_encoder_0").

    Kernels of dynamic convolutions are averaged over the positions of the first ``MAX_SENTENCES`` pairs.
    """
    found: dict[str, np.ndarray] = {}
    for name, mixer in _mixers(model):
        if isinstance(mixer, LightweightConv) and len(mixer.weight) <= MAX_HEADS:
            found[name] = mixer.kernel().detach().float().cpu().numpy()
    return found | _means(model, pairs)


def _means(model: EncoderDecoder, pairs: Pairs) -> dict[str, np.ndarray]:
    """Record the kernels that dynamic convolutions predict for some pairs, and average them over positions."""
    dynamic = {name: mixer for name, mixer in _mixers(model) if isinstance(mixer, DynamicConv) and mixer.heads <= MAX_HEADS}
    if not dynamic:
        return {}
    source, target = pairs.batch(pairs.first(MAX_SENTENCES))
    mask = source != PAD
    real = {"encoder": mask, "decoder": target[:, :-1] != PAD}
    recorded: dict[str, torch.Tensor] = {}

    def record(name: str, mixer: DynamicConv) -> torch.utils.hooks.RemovableHandle:
        def hook(_: torch.nn.Module, __: object, weights: torch.Tensor) -> None:
            each = weights.unflatten(-1, (mixer.heads, mixer.kernel_size))
            recorded[name] = (each.softmax(-1) if mixer.softmax else each)[real[name.split("_")[1]]].mean(0)

        return mixer.predict.register_forward_hook(hook)

    handles = [record(name, mixer) for name, mixer in dynamic.items()]
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            model(source, mask, target[:, :-1])
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return {name: mean.float().cpu().numpy() for name, mean in recorded.items()}


def _mixers(model: EncoderDecoder) -> Iterator[tuple[str, torch.nn.Module]]:
    for name, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        for i, block in enumerate(stack.blocks):
            mixer = block.mixer
            assert isinstance(mixer, torch.nn.Module)
            yield f"kernel_{name}_{i}", mixer
