"""The smallest member of each family of torchvision's classifiers, with weights that leave no unit idle."""

import functools
import warnings

import torch
from torch import nn
from torchvision import models

FAMILIES = {
    "alexnet": 63, "convnext_tiny": 32, "densenet121": 32, "efficientnet_b0": 32, "efficientnet_v2_s": 32, "googlenet": 32,
    "inception_v3": 75, "maxvit_t": 224, "mnasnet0_5": 32, "mobilenet_v2": 32, "mobilenet_v3_small": 32, "regnet_x_400mf": 32,
    "regnet_y_400mf": 32, "resnet18": 32, "resnext50_32x4d": 32, "shufflenet_v2_x0_5": 32, "squeezenet1_1": 32, "swin_t": 32,
    "swin_v2_t": 32, "vgg11": 32, "vgg11_bn": 32, "vit_b_16": 224, "wide_resnet50_2": 32,
}  # fmt: skip
"""The least image size that each takes, of those that are quick to draw."""


@functools.lru_cache(maxsize=1)  # several tests in a row take the same
def build(name, classes=5, dtype=torch.float64):
    """A network of random weights whose activations are of size 1, as after training."""
    torch.manual_seed(0)
    size = FAMILIES[name]
    given = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = models.get_model(name, weights=None, num_classes=classes, **given)
    network = network.to(dtype).eval().requires_grad_(False)
    return enlivened(network, torch.rand(3, 3, size, size, dtype=dtype)), size


@torch.no_grad()
def enlivened(network, images):
    """Each convolution and linear map scaled to outputs of deviation 1, each batch normalization set to what it sees."""

    def rescale(module, inputs, output):
        size = output.std()
        if not size > 0:  # as the head of a vision transformer begins
            nn.init.normal_(module.weight, std=module.weight.shape[1] ** -0.5)
            return module.forward(*inputs)
        module.weight.div_(size)
        if module.bias is not None:
            module.bias.div_(size)
        return output / size

    def standardize(module, inputs):
        module.running_mean.copy_(inputs[0].mean((0, 2, 3)))
        module.running_var.copy_(inputs[0].var((0, 2, 3)) + 0.1)

    hooks = [m.register_forward_hook(rescale) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks += [m.register_forward_pre_hook(standardize) for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    network(images)
    for hook in hooks:
        hook.remove()
    return network
