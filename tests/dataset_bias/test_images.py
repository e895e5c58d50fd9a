"""Features, treatments, near-duplicates and simulated cameras, against independent computations."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import fft
from skimage.feature import canny
from skimage.feature import hog as reference_hog

from myths.dataset_bias import duplicates, features, sets, simulated_cameras, source_sets, transforms
from myths.lab.data.folders import image_folder
from myths.lab.errors import UsageError
from myths.lab.vision import pretrained

INFORMATION = ["high pass", "edges", "shuffled pixels", "mean color"]


def photographs(n=12):
    return simulated_cameras.photographs_of("camera 1")[0][::14][:n]


# --- features -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("feature", "size"), [("gray thumbnail", 1024), ("color thumbnail", 3072), ("gist", 384), ("hog", 1764)])
def test_features_are_finite_differ_and_do_not_depend_on_the_batch(feature, size):
    x = photographs()
    described = features.extract(x, feature)
    assert described.shape == (12, size)
    assert described.isfinite().all()
    assert (described[0] != described[1]).any()
    torch.testing.assert_close(features.extract(x[5:6], feature)[0], described[5], rtol=1e-4, atol=1e-5)


def test_hog_is_scikit_image_hog():
    x = photographs(3)
    settings = {"orientations": 9, "pixels_per_cell": (8, 8), "cells_per_block": (2, 2), "channel_axis": -1}
    expected = [reference_hog(image.permute(1, 2, 0).double().numpy(), **settings) for image in x]
    np.testing.assert_allclose(features.extract(x, "hog"), expected, atol=1e-5)


@pytest.mark.parametrize("direction", range(features.DIRECTIONS))
@pytest.mark.parametrize("scale", range(len(features.SCALES)))
def test_the_filter_bank_answers_to_its_own_grating(direction, scale):
    angle, wavelength = np.pi * direction / features.DIRECTIONS, 2 * features.SCALES[scale]  # thumbnails halve the image
    y, x = np.mgrid[:64, :64]
    wave = 128 + 100 * np.cos(2 * np.pi / wavelength * (x * np.cos(angle) + y * np.sin(angle)) + 0.3)
    grating = torch.from_numpy(wave.round().astype(np.uint8))[None, None].expand(1, 3, 64, 64).contiguous()
    energy = features.gist(grating).reshape(len(features.SCALES), features.DIRECTIONS, 16).mean(2)
    if scale:  # a grating at the shortest wavelength lies at the thumbnail's limit, and antialiasing takes it away
        assert int(energy.argmax()) == scale * features.DIRECTIONS + direction


def test_words_count_the_nearest_centers_as_k_means_of_scikit_learn_would():
    generator = torch.Generator().manual_seed(0)
    described = torch.randn(6, 4, 4, 3, generator=generator)
    bags = features.bag_of_words(described, described[:4], torch.Generator().manual_seed(1), vocabulary=5)
    assert bags.shape == (6, 25)
    torch.testing.assert_close(bags[:, :5].square().sum(1), torch.ones(6))
    quarters = bags[:, 5:].square().reshape(6, 5, 4)
    torch.testing.assert_close(quarters.mean(2) * 2, bags[:, :5].square())


def test_k_means_finds_what_scikit_learn_finds():
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2)) + 8 * np.array([[0, 0], [1, 0], [0, 1]])[rng.integers(3, size=600)]
    inertias = []
    for seed in range(5):  # Lloyd's algorithm from random starts may end in a worse place
        centers = features.k_means(torch.from_numpy(x), 3, torch.Generator().manual_seed(seed), iterations=50)
        inertias.append(float(torch.cdist(torch.from_numpy(x), centers).min(1).values.square().sum()))
    assert min(inertias) == pytest.approx(KMeans(3, n_init=5, random_state=0).fit(x).inertia_, rel=1e-6)


# --- treatments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", ["common format", "gray", "blur", "noise", "32 pixels", "shuffled patches", *INFORMATION])
def test_a_treatment_keeps_the_shape_and_changes_the_picture(transform):
    x = photographs(4)
    treated = transforms.apply_transform(x, transform, torch.Generator().manual_seed(0))
    assert (treated.shape, treated.dtype) == (x.shape, torch.uint8)
    assert (treated != x).any()
    again = transforms.apply_transform(x, transform, torch.Generator().manual_seed(0))
    assert torch.equal(treated, again)


def test_the_same_container_leaves_no_color_and_no_difference_of_format():
    x = photographs(6)
    treated = transforms.common_format(x)
    assert torch.equal(treated[:, 0], treated[:, 2])
    file = io.BytesIO()
    Image.fromarray(x[0].permute(1, 2, 0).numpy()).save(file, "png")
    as_png = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None]
    assert torch.equal(transforms.common_format(as_png)[0], treated[0])


def test_shuffled_patches_are_the_same_patches():
    x = photographs(2)
    shuffled = transforms.apply_transform(x, "shuffled patches", torch.Generator().manual_seed(3))

    def patches(images):
        return {p.tobytes() for p in images.unfold(1, 16, 16).unfold(2, 16, 16).permute(1, 2, 0, 3, 4).reshape(16, -1).numpy()}

    assert patches(shuffled[0]) == patches(x[0])


def test_what_is_kept_of_an_image():
    x = photographs(3)
    high, edges, pixels, color = (transforms.apply_transform(x, name, torch.Generator().manual_seed(0)) for name in INFORMATION)
    low = transforms.apply_transform(x, "blur", torch.Generator()).int()
    assert ((low + high.int() - 128 - x.int()).abs() <= 1).double().mean() > 0.99  # but for what leaves the range
    luma = transforms.gray(x)[:, 0].numpy() / 255
    assert np.array_equal(edges[:, 1].numpy() == 255, np.stack([canny(image) for image in luma]))
    assert set(edges.unique().tolist()) == {0, 255}
    colors = [images.flatten(2).transpose(1, 2).tolist() for images in (x, pixels)]
    assert all(sorted(before) == sorted(after) for before, after in zip(*colors, strict=True))
    assert torch.equal(color[..., 0, 0], x.double().mean((2, 3)).round().to(torch.uint8))
    assert torch.equal(color, color[..., :1, :1].expand_as(color))


def test_features_of_a_pretrained_network(monkeypatch):
    torch.manual_seed(0)
    network = pretrained.build("squeezenet1_0", 7)
    monkeypatch.setattr(pretrained, "read", lambda name: dict(network.state_dict()))
    x = photographs(2)
    found = features.extract(x, "squeezenet")
    larger = torch.nn.functional.interpolate(x / 255, scale_factor=2, mode="bilinear")
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.inference_mode():
        expected = network.eval().features((larger - mean) / std).mean((2, 3))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    both = features.extract(x, "hog and color thumbnail")
    assert torch.equal(both, torch.cat([features.extract(x, "hog"), features.extract(x, "color thumbnail")], 1))


def test_noise_has_its_strength():
    x = torch.full((8, 3, 64, 64), 128, dtype=torch.uint8)
    assert transforms.apply_transform(x, "noise", torch.Generator().manual_seed(0)).double().std() == pytest.approx(0.2 * 255, rel=0.03)


# --- near-duplicates ------------------------------------------------------------------------------


def test_the_hash_is_the_sign_of_scipys_cosine_transform():
    x = photographs(5)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    gray = (x.float() * weights).sum(1)
    small = torch.nn.functional.interpolate(gray[:, None], size=(32, 32), mode="bilinear", antialias=True)[:, 0].double().numpy()
    low = fft.dctn(small, axes=(1, 2))[:, :8, :8].reshape(5, -1)
    expected = low > np.sort(low[:, 1:], axis=1)[:, [31]]
    assert ((duplicates.perceptual_hash(x) > 0).numpy() == expected).mean() > 0.99


def test_a_compressed_copy_is_near_and_another_photograph_is_not():
    x = photographs()
    file = io.BytesIO()
    Image.fromarray(x[0].permute(1, 2, 0).numpy()).save(file, "jpeg", quality=50)
    copy = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None]
    hashes = duplicates.perceptual_hash(torch.cat([x, copy]))
    assert duplicates.near_duplicate_pairs(hashes).tolist() == [[0, 12]]
    assert duplicates.duplicate_mask(hashes).nonzero().flatten().tolist() == [12]


def test_near_pairs_are_those_of_all_pairs(monkeypatch):
    monkeypatch.setattr(duplicates, "_CHUNK", 7)
    bits = torch.randint(0, 2, (40, 64), generator=torch.Generator().manual_seed(0)).float() * 2 - 1
    bits[30] = bits[3]
    bits[31] = bits[3]
    bits[31, :6] *= -1
    expected = [[i, j] for i in range(40) for j in range(i + 1, 40) if int((bits[i] != bits[j]).sum()) <= 6]
    assert sorted(duplicates.near_duplicate_pairs(bits, 6).tolist()) == expected
    assert [3, 30] in expected
    kept = ~duplicates.duplicate_mask(bits, 6)
    assert not len(duplicates.near_duplicate_pairs(bits[kept], 6))


def test_a_chain_of_near_duplicates_keeps_every_other():
    bits = torch.ones(3, 64)
    bits[1, :4] = -1
    bits[2, :8] = -1
    assert duplicates.duplicate_mask(bits).tolist() == [False, True, False]


# --- the sets -------------------------------------------------------------------------------------


def test_no_two_independent_sets_have_one_parent():
    assert not set(sets.INDEPENDENT) & set(sets.EXCLUDED)
    for family in sets.RELATED_SETS[:3]:
        assert len(family & set(sets.INDEPENDENT)) <= 1
    assert set(sets.ALL) <= sets.REAL


def test_chains_differ_and_the_same_chain_does_not():
    first, second, same = (source_sets.load(name) for name in ("camera 1", "camera 2", "same camera 7"))
    assert first.images.shape == second.images.shape == (196, 3, 64, 64)
    assert torch.equal(first.groups, second.groups)
    balance = [c.images.double().mean((0, 2, 3)) for c in (first, second, same)]
    red_over_blue = [float(b[0] / b[2]) for b in balance]
    assert abs(red_over_blue[2] - red_over_blue[0]) < 0.05 < red_over_blue[1] - red_over_blue[0]
    assert torch.equal(source_sets.load("camera 1").images, first.images)
    assert not sets.is_simulated_camera("camera 9")


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def own(home, name, n, **changes):
    from myths.lab.data.user_data import add

    (home / name).mkdir()
    for i in range(n):
        pixels = np.random.default_rng(i).integers(256, size=(30, 40 + i % 3, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(home / name / f"{i}.png")
    add(name, home / name)


def test_own_folders_and_arrays_are_collections(home):
    from myths.lab.data.user_data import add

    own(home, "mine", 41)
    np.savez(home / "a.npz", x_test=np.zeros((50, 20, 30), np.uint8), y_test=np.zeros(50, int), classes=np.array(["sky"]))
    add("theirs", home / "a.npz")
    assert sets.required_datasets(["mine", "theirs", "camera 1"]) == ("mine", "theirs")
    mine, theirs = source_sets.load("mine"), source_sets.load("theirs")
    assert mine.images.shape == (41, 3, 64, 64)
    assert len(image_folder("mine")) == 41
    assert (theirs.images.shape, theirs.labels[:1]) == ((50, 3, 64, 64), ("sky",))
    source_sets.check_user_datasets(("mine", "theirs"))


def test_own_sets_that_cannot_be_compared_are_refused(home):
    own(home, "mine", 12)
    with pytest.raises(UsageError, match="mine twice"):
        source_sets.check_user_datasets(("mine", "theirs", "mine"))
    with pytest.raises(UsageError, match="only mine"):
        source_sets.check_user_datasets(("mine",))
    with pytest.raises(UsageError, match="mine has 12 images; at least 40"):
        source_sets.check_user_datasets(("mine", "camera 1"))
