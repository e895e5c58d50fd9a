"""A set of the user's own cannot hide behind the name of a set that the suite has."""

from myths.dataset_bias.sets import PREPARED, REAL
from myths.lab.data.catalog import CATALOG
from myths.lab.data.names import reserved
from myths.lightweight_conv.corpora import SUMMARIES, SYNTHETIC, UNAVAILABLE
from myths.saliency.names import IMAGENET_SAMPLE, SQUEEZENET, UNTRAINED


def test_every_name_that_a_myth_gives_to_data_is_reserved():
    assert set(CATALOG[PREPARED].members) == REAL
    assert {*REAL, *SYNTHETIC, SUMMARIES, *UNAVAILABLE, IMAGENET_SAMPLE, SQUEEZENET, UNTRAINED, "digits", "multi30k"} <= reserved()


def test_the_work_on_data_of_the_users_is_that_of_their_size(monkeypatch, tmp_path):
    from dataclasses import replace

    import numpy as np
    from PIL import Image

    from myths.dataset_bias.trials import NameThatDataset
    from myths.lab.data import user_data

    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))
    for name, parts in (("mine", {"train": 30, "test": 14}), ("theirs", {"train": 60, "val": 20})):
        for part, n in parts.items():
            (tmp_path / name / part / "a").mkdir(parents=True)
            for i in range(n):
                Image.fromarray(np.full((8, 8, 3), i, np.uint8)).save(tmp_path / name / part / "a" / f"{i}.png")
        user_data.add(name, tmp_path / name)
    trial = NameThatDataset(sets=("mine", "theirs"), feature="hog", train_sizes=(10, 700))
    assert trial.relative_cost == replace(trial, train_sizes=(10, 44)).relative_cost  # the smaller set has 44 images, of all parts
    assert trial.relative_cost < replace(trial, sets=("camera 1", "camera 2")).relative_cost
