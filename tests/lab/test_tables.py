"""Rows that are put together name all trials that they are made of, and no others."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myths.lab.storage.store import check_rows
from myths.lab.tables import TRIALS, checked, provenance_columns, trial_ids, unite, unite_columns

IDS = st.sets(st.sampled_from([f"{i:012x}" for i in range(6)]))
CELLS = st.lists(st.one_of(IDS.map(lambda ids: " ".join(sorted(ids))), st.none(), st.just(np.nan)), max_size=5)


@given(CELLS)
def test_a_union_names_each_trial_of_the_cells_once(cells):
    """A missing cell, as a left join gives it, names none; the order of the cells does not matter."""
    expected = {identity for cell in cells if isinstance(cell, str) for identity in cell.split()}
    assert unite(cells).split() == sorted(expected)
    assert unite([unite(cells), *reversed(cells)]) == unite(cells)
    assert trial_ids(pd.DataFrame({TRIALS: cells})) == expected


def test_a_merge_with_a_baseline_names_both():
    rows = pd.DataFrame({"seed": [0, 1], TRIALS: ["a", "b"]})
    merged = rows.merge(pd.DataFrame({"seed": [0], TRIALS: ["c"]}), how="left", on="seed", suffixes=("", "_of_baseline"))
    assert unite_columns(merged[TRIALS], merged[f"{TRIALS}_of_baseline"]) == ["a c", "b"]


def test_a_row_of_several_says_how_they_came_about():
    rows = pd.DataFrame(
        {"dataset": ["mnist", "cifar10"], "protocol": ["paper", "reduced"], "device": ["cpu", "cpu"], TRIALS: ["b a", "a"], "x": [1, 2]}
    )
    assert provenance_columns(rows) == {"dataset": "cifar10, mnist", "protocol": "reduced", "device": "cpu", TRIALS: "a b"}
    assert list(provenance_columns(rows.drop(columns="dataset"))) == ["protocol", "device", TRIALS]


@pytest.mark.parametrize("cell", ["", None, np.nan])
def test_a_table_with_a_row_that_names_no_trial_is_refused(cell):
    with pytest.raises(ValueError, match="table sums: a row names no trial in the column 'trials'"):
        checked("sums", pd.DataFrame({TRIALS: ["a", cell], "x": [1, 2]}))
    assert list(checked("sums", pd.DataFrame({TRIALS: ["a"], "x": [1]}))) == ["x", TRIALS]
    assert checked("sums", pd.DataFrame()).empty


def test_a_row_of_a_trial_cannot_say_what_the_table_fills():
    with pytest.raises(TypeError, match="'trials'"):
        check_rows([{"trials": 3}])


def test_the_main_setting_is_one_per_key_by_protocol_then_by_preference():
    import pandas as pd

    from myths.lab.tables import mark_main_setting

    table = pd.DataFrame(
        [
            ("a", "small", "reduced", 9), ("a", "large", "paper", 1), ("a", "large", "paper", 2),
            ("b", "small", "reduced", 1), ("b", "large", "reduced", 2), ("c", "small", "stand-in", 5),
        ],
        columns=["dataset", "network", "protocol", "epochs"],
    )  # fmt: skip

    def marked(rows, **more):
        rows = rows.reset_index(drop=True)
        found = mark_main_setting(rows, ["dataset"], ["dataset", "network", "protocol", "epochs"], (rows["epochs"],), **more)
        assert found.drop(columns="main_setting").equals(rows)
        return [tuple(row) for row in found[found["main_setting"]][["dataset", "network", "epochs"]].itertuples(index=False)]

    assert marked(table) == [("a", "large", 2), ("b", "large", 2)]
    assert marked(table[table["dataset"] == "c"]) == [("c", "small", 5)]  # stand-in data only if there is nothing else
    assert marked(table, eligible=table["network"] == "small") == [("a", "small", 9), ("b", "small", 1)]
    assert mark_main_setting(table.iloc[:0], ["dataset"], ["dataset"], ()).empty
