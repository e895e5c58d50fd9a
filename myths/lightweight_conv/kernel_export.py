"""The kernels that a model has learnt, to look at."""

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
"""Over whose positions dynamic kernels are averaged."""
MAX_HEADS = 16
"""More, as of a depthwise convolution, are not kept: they would not be looked at."""


def kernels(model: EncoderDecoder, pairs: Pairs) -> dict[str, Float[np.ndarray, "heads taps"]]:
    """Side and layer ("kernel_encoder_0") to the kernel of each head; of dynamic convolutions the mean over positions of some pairs."""
    found: dict[str, np.ndarray] = {}
    for name, mixer in _mixers(model):
        if isinstance(mixer, LightweightConv) and len(mixer.weight) <= MAX_HEADS:
            found[name] = mixer.kernel().detach().float().cpu().numpy()
    return found | _means(model, pairs)


def _means(model: EncoderDecoder, pairs: Pairs) -> dict[str, np.ndarray]:
    """Runs some pairs through the model and listens to what each dynamic convolution predicts."""
    dynamic = {name: mixer for name, mixer in _mixers(model) if isinstance(mixer, DynamicConv) and mixer.heads <= MAX_HEADS}
    if not dynamic:
        return {}
    source, mask, target = pairs.batch(torch.arange(min(MAX_SENTENCES, len(pairs)), device=pairs.source.device))
    real = {"encoder": mask, "decoder": target[:, :-1] != PAD}
    heard: dict[str, torch.Tensor] = {}

    def listen(name: str, mixer: DynamicConv) -> torch.utils.hooks.RemovableHandle:
        def hook(_: torch.nn.Module, __: object, weights: torch.Tensor) -> None:
            each = weights.unflatten(-1, (mixer.heads, mixer.kernel_size))
            heard[name] = (each.softmax(-1) if mixer.softmax else each)[real[name.split("_")[1]]].mean(0)

        return mixer.predict.register_forward_hook(hook)

    handles = [listen(name, mixer) for name, mixer in dynamic.items()]
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            model(source, mask, target[:, :-1])
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return {name: mean.float().cpu().numpy() for name, mean in heard.items()}


def _mixers(model: EncoderDecoder) -> Iterator[tuple[str, torch.nn.Module]]:
    for side, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        for i, block in enumerate(stack.blocks):
            mixer = block.mixer
            assert isinstance(mixer, torch.nn.Module)
            yield f"kernel_{side}_{i}", mixer
