"""Tables of the user: what is read, what is refused in one line, and what the modes say."""

import numpy as np
import pandas as pd
import pytest

from myths.lab.data import user_data
from myths.lab.data.user_tables import read_table
from myths.lab.errors import UsageError
from myths.lab.trial import Context
from myths.order import item_modes, measures
from myths.order.coherence import Block, coherence, draw
from myths.order.profiles import trials
from myths.order.trials import FindItemModes
from myths.order.user_summary import summarize_user_data

GOOD = "name,category,wings,legs\nrobin,bird,1,2\nsparrow,bird,1,2\noak,plant,0,0\nrose,plant,0,0\nbat,mammal,1,2.5\n"


@pytest.fixture
def add(tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))

    def added(text, name="mine"):
        path = tmp_path / f"{name}.csv"
        path.write_text(text, encoding="utf-8")
        return user_data.add(name, path)

    return added


def test_a_table_is_added_and_its_modes_are_found(add):
    assert add(GOOD).summary[0] == "a table of 5 items and 2 properties"
    (trial,) = trials("quick", None, ("mine",))
    rows = trial.run(Context(trial)).rows
    first = rows[0]
    assert {first["one_side"], first["other_side"]} == {"robin, sparrow, bat", "oak, rose"} or "oak" in first["one_side"] + first[
        "other_side"
    ]
    assert [row["category"] for row in rows if row["kind"] == "category"] == ["bird", "plant", "mammal"]
    table = np.array([[1, 2], [1, 2], [0, 0], [0, 0], [1, 2.5]])
    values = np.linalg.svd(table - table.mean(0), compute_uv=False)
    assert [row["singular_value"] for row in rows if row["kind"] == "mode"] == pytest.approx(values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2,3\n3,4,5\n5,6,7\n", "no header row"),
        ("", "no header row"),
        ("a,b\n1,2\n3,green\n", "line 3, column b: 'green' is not a number"),
        ("a,b\n1,2\n3,\n", "line 3, column b: the cell is empty"),
        ("a,b\n1,2\n3,inf\n", "line 3, column b: inf is not a finite number"),
        ("a,b\n1,2\n3,-1e200\n", "line 3, column b: -1e+200 is too large"),
        ("a,b\n\n1,2\n\n3,green\n", "line 5, column b: 'green' is not a number"),
        ("name;a\nx;1\ny;2\n", "is separated by semicolons; save it with commas"),
        ("name;a;b\nx;1,5;2\ny;2,5;3\n", "is separated by semicolons; save it with commas"),
        ("name\ta\nx\t1\ny\t2\n", "is separated by tabs; save it with commas"),
        ("a,b\n1,2\n3,2\n", "the same number in every row of b"),
        ("a,b,c\n1,2,3\n\n4,5,6,7\n", "line 4 has 4 cells, the header 3"),
        ("a,b,c\n1,2,3\n4,nan,6\n", "line 3, column b: 'nan' is not a number"),
        ("category,a,Category\nu,1,v\nw,2,x\n", "has two columns named category"),
        ("a,b\nb,c\nc,a\n", "is not a number; a list of edges needs the header source,target"),
        ("a,b\n1,2\n", "1 item: at least two are needed"),
        ("a,b\n", "0 items: at least two are needed"),
        ("name\nrobin\noak\n", "no column of numbers"),
        ("a,b\n1,2,3,4\n5,6\n", "line 2 has 4 cells, the header 2"),
        ("category,a\n,1\nbird,2\n", "line 2, column category: the cell is empty"),
    ],
)
def test_bad_tables_are_refused_in_one_line(add, text, said):
    with pytest.raises(UsageError) as error:
        add(text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        (GOOD, []),
        ("name,a,b\nx,1,2\nx,2,3\nz,3,5\n", ["note: several items have the same name: x"]),
        ("name,a,a\nx,1,2\ny,2,3\n", ["note: several properties have the same name: a"]),
        ("name,category,a\nx,u,1\ny,u,2\n", ["note: all items are of one category; a category is compared with the other items"]),
        ("x,1,2\ny,4,5\nz,7,8\n", ["note: the first line was read as the names of the properties, which are numbers; if it is an item, "
                                  "add a header row"]),
    ],
)  # fmt: skip
def test_what_may_not_be_meant_is_noted(add, text, notes):
    assert [line for line in add(text).summary if line.startswith("note")] == notes


def test_the_column_of_categories_may_be_in_upper_case(add):
    assert add("Name,Category,a\nx,A,1\ny,A,2\nz,B,7\n").summary[:2] == (
        "a table of 3 items and 1 property",
        "2 categories, named in the column category",
    )


def test_names_that_some_programs_take_for_missing_are_names(add):
    add("name,category,a\nNone,NA,1\nnull,NA,2\nnan,B,7\n")
    table = item_modes.load_table("mine")
    assert list(table.items) == ["None", "null", "nan"]
    assert list(table.categories) == ["NA", "NA", "B"]


@pytest.mark.parametrize("shape", [(8, 20_000), (12, 20_000), (20, 2000), (100, 300), (400, 40)])
def test_noise_has_no_mode_above_its_edge(shape):
    """Its largest singular value differs by what Tracy and Widom's law of width 1.3 and mean -1.2 allows."""
    table = np.random.default_rng(0).normal(size=shape)
    table -= table.mean(0)
    largest = np.linalg.svd(table, compute_uv=False)[0]
    unit = ((shape[0] - 1) ** -0.5 + shape[1] ** -0.5) ** (1 / 3) / 2
    assert -5 * unit < largest - item_modes.noise_edge(table) < 2 * unit


def test_predictions_are_still_predictions(add):
    with pytest.raises(UsageError, match="original"):
        add("original,v4\n1,2\n3,4\n")


def test_what_is_no_table_is_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))
    np.savez(tmp_path / "some.npz", X=np.arange(6.0))
    user_data.add("arrays", tmp_path / "some.npz")
    for name in ("arrays", "digits"):
        with pytest.raises(UsageError, match="no table of items and properties"):
            trials("quick", None, (name,))


def test_items_without_names_are_numbered_and_a_byte_order_mark_is_no_name(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("\ufeffa, b\n1,2\n3,4\n", encoding="utf-8")
    arrays = read_table(path)
    assert list(arrays["properties"]) == ["a", "b"]
    assert "items" not in arrays


@pytest.mark.parametrize("shape", [(300, 60), (60, 300)])
def test_the_error_of_a_randomized_decomposition_bounds_that_of_its_singular_values(monkeypatch, shape):
    table = np.random.default_rng(0).normal(size=shape)  # no gap between singular values: the hardest case
    table -= table.mean(0)
    exact = np.linalg.svd(table, compute_uv=False)
    assert item_modes.modes(table, 3).error < 1e-10
    monkeypatch.setattr(item_modes, "EXACT_WORK", 1000)
    found = item_modes.modes(table, 3)
    assert found.randomized
    nearest = np.abs(exact[:, None] - found.values).min(0) / found.values
    assert 1e-4 < found.error <= item_modes.TOLERANCE
    assert (nearest <= found.error).all()
    assert found.values == pytest.approx(exact[:3], rel=1e-4)


def coherence_by_loops(table, members):
    """The estimate of the coherence of one category, property by property."""
    n, items = members.sum(), len(table)
    excess, variances = [], []
    for column in table.T:
        inside, outside = column[members], column[~members]
        variance = (n * inside.var() + (items - n) * outside.var()) / (items - 2)
        excess.append((inside.mean() - outside.mean()) ** 2 - variance * (1 / n + 1 / (items - n)))
        variances.append(variance)
    return max(0.0, sum(excess)) / np.mean(variances) * n * (1 - n / items) / np.sqrt(table.size)


def test_the_coherence_of_every_category_is_that_of_loops_over_properties():
    rng = np.random.default_rng(9)
    categories = rng.choice(["b", "a", "c"], 60, p=[0.5, 0.4, 0.1])
    table = rng.normal(size=(60, 30)) + 0.5 * (categories == "a")[:, None] + 3 * rng.normal(size=30)
    found = item_modes.category_coherences(table - table.mean(0), categories.tolist())
    assert list(found) == list(dict.fromkeys(categories.tolist()))
    for name, (n, c) in found.items():
        assert n == (categories == name).sum()
        assert c == pytest.approx(coherence_by_loops(table, categories == name), rel=1e-9)


def test_categories_without_any_variation_are_found_at_once_and_one_of_all_items_is_none():
    table = np.array([[0.5, 1.0], [0.5, 1.0], [-0.5, -1.0], [-0.5, -1.0]])
    assert item_modes.category_coherences(table, ["x", "x", "y", "y"]) == {"x": (2, np.inf), "y": (2, np.inf)}
    assert item_modes.category_coherences(table, ["x"] * 4) == {}
    assert item_modes.category_coherences(table, []) == {}


def test_the_coherence_of_a_category_is_estimated_from_its_table():
    block = Block(200, 400, 50, 100)
    (table,) = draw(block, (3 / block.size_factor) ** 0.5, 0.5, "gaussian", 1, np.random.default_rng(7))
    table = table.astype(float)
    categories = ["in"] * 50 + ["out"] * 150
    found = item_modes.category_coherences(table - table.mean(0), categories)["in"]
    assert found == (50, pytest.approx(3 * (1 - 50 / 200), rel=0.1))  # centering takes a quarter of the signal of a quarter of the items
    (noise,) = draw(block, 0.0, 0.5, "gaussian", 1, np.random.default_rng(8))
    assert item_modes.category_coherences(noise - noise.mean(0), categories)["in"][1] < 0.5
    assert coherence(block, 0.75, 0.5) == pytest.approx(0.25 * block.size_factor)


def test_the_first_mode_of_the_built_in_table_separates_animals_from_plants():
    trial = FindItemModes()
    first = trial.run(Context(trial)).rows[0]
    assert first["misplaced_items"] == 0
    sides = {frozenset(first[side].split(", ")) for side in ("one_side", "other_side")}
    assert sides == {frozenset({"pine", "oak", "rose", "daisy"}), frozenset({"robin", "canary", "sunfish", "salmon"})}


def test_the_summary_names_modes_and_categories_of_user_tables_only(add):
    add(GOOD)
    rows = {}
    for dataset in ("mine", item_modes.ANIMALS_AND_PLANTS):
        trial = FindItemModes(dataset=dataset)
        rows[dataset] = pd.DataFrame(trial.run(Context(trial)).rows)

    def tables(*names):
        every = pd.concat([rows[name] for name in names])
        return {"item_modes": every[every["kind"] == "mode"], "item_categories": every[every["kind"] == "category"]}

    assert summarize_user_data(tables(item_modes.ANIMALS_AND_PLANTS)) is None
    said = summarize_user_data(tables("mine", item_modes.ANIMALS_AND_PLANTS))
    assert said.startswith("mine: 5 items × 2 properties")
    assert "category bird (2 items)" in said
    assert "salmon" not in said
    assert "legs has 83 % of the variance" in said
    assert "(legs, wings)" in said
    assert "oak, rose (no property)" in said


# --- measures ----------------------------------------------------------------------------------------


def test_the_largest_distance_is_that_of_the_worst_point():
    rows = pd.DataFrame(
        {"coherence": [1.5] * 4 + [2.0] * 4, "noise": "gaussian", "overlap": [0.4, 0.42, 0.38, 0.4, 0.5, 0.52, 0.48, 0.5],
         "expected_overlap": [0.41] * 4 + [0.6] * 4}
    )  # fmt: skip
    found = measures.largest_distance("overlap", rows)
    assert found.value == pytest.approx(0.1)
    assert 0.05 < found.low < 0.1 < found.high < 0.15


def test_a_difference_of_correlations_pairs_by_number_and_weighs_the_second():
    rows = pd.DataFrame({"labels": ["true"] * 3 + ["shuffled"] * 3, "pair": [0, 1, 2, 0, 1, 2], "spearman": [0.8, 0.6, 0.7, 0.3, 0.3, 0.4]})
    found = measures.correlation_difference("spearman", "labels", ("shuffled", "true"), rows, factor=0.5)
    assert found.value == pytest.approx(np.mean([0.3 - 0.4, 0.3 - 0.3, 0.4 - 0.35]))
    assert (found.source_of_variation, found.n) == ("seeds", 3)
    assert measures.correlation_difference("spearman", "labels", ("noise", "true"), rows) is None


def test_the_ratio_of_errors_needs_a_halved_step():
    rows = pd.DataFrame({"step": [0.004, 0.004, 0.002, 0.002], "max_error_percent": [2.0, 1.0, 1.0, 0.5]})
    assert measures.ratio_of_errors(rows).value == 2
    assert measures.finest_error_percent(rows).value == 1
    assert measures.ratio_of_errors(rows.assign(step=[0.004, 0.004, 0.003, 0.003])) is None
