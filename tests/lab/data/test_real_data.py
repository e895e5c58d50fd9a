"""The real sets, where they are: intact, what the catalog says they are, and consistent with each other."""

import hashlib

import numpy as np
import pytest

from myths.lab.data import prepared
from myths.lab.data.catalog import CATALOG
from myths.lab.data.images import image_set
from tests.lab.data import published

pytestmark = pytest.mark.real_data


def needed(name):
    if prepared.find(name) is None:
        pytest.skip(f"the data set {name} is not here")
    return prepared.load(name)


@pytest.mark.parametrize("name", ["mnist", "cifar100", "cifar10_1_predictions", "cifar10_tiny_imagenet"])
def test_the_official_sets_are_present(name):
    needed(name)
    checked = prepared.verify(name)
    assert (checked.state, checked.found) == ("present", CATALOG[name].content)


def test_cifar10_is_official_or_a_variant_that_says_so():
    arrays = needed("cifar10")
    checked = prepared.verify("cifar10")
    assert checked.state == ("modified" if "lossless_train" in arrays else "present")
    assert checked.note
    assert (arrays["x_train"].shape, arrays["x_test"].shape) == ((50_000, 32, 32, 3), (10_000, 32, 32, 3))
    # The means that are published for normalizing.
    assert arrays["x_train"].mean((0, 1, 2)) / 255 == pytest.approx([0.4914, 0.4822, 0.4465], abs=1e-4)


def test_the_predictions_are_for_the_test_set_that_is_here():
    assert np.array_equal(needed("cifar10_1_predictions")["labels_original"], needed("cifar10")["y_test"])


def test_the_checksums_of_the_published_labels_are_those_of_the_labels_that_are_here():
    arrays = needed("cifar10_1_predictions")
    for split in ("v4", "v6"):
        (file,) = (f for f in CATALOG["cifar10_1_predictions"].files if f.file == f"{split}_labels.npy")
        body = published.npy(arrays[f"labels_{split}"].astype("<i4"))
        assert (len(body), "sha256:" + hashlib.sha256(body).hexdigest()) == (file.bytes, file.checksum)


def test_a_new_test_set_has_no_training_split():
    needed("cifar10_tiny_imagenet")
    images = image_set("cifar10_tiny_imagenet", "cpu")
    assert images.x_train is None
    assert images.x_test.shape == (2100, 3, 32, 32)
    assert len(images.classes) == 10
