"""The papers' tables as printed, and what follows from their cells."""

import numpy as np
import pytest

from myths.dataset_bias import published
from myths.dataset_bias.domain_gap import drop_by_set, mean_others_ap, self_ap
from myths.dataset_bias.market_value import basket_of_currencies, fraction_below_one, fraction_between_zero_and_one

TASKS = ["car classification", "car detection", "person classification", "person detection"]


def test_table_1_is_complete():
    tables = published.cross_set()
    assert [t.task for t in tables] == TASKS
    assert all(t.paper_value_source == "read" for t in tables)
    assert all(np.isfinite(t.ap).all() and ((t.ap > 0) & (t.ap <= 100)).all() for t in tables)
    cars = tables[0]
    assert cars.ap[published.SETS.index("PASCAL"), published.SETS.index("ImageNet")] == 43.9  # trained on PASCAL, tested on ImageNet
    assert cars.ap[published.SETS.index("ImageNet"), published.SETS.index("PASCAL")] == 36.0


@pytest.mark.parametrize(
    ("task", "own", "others", "printed", "from_cells"),
    [
        ("car classification", 53.4, 27.5, 48, 48.5),
        ("car detection", 72.4, 44.8, 48, 38.1),
        ("person classification", 43.7, 23.4, 47, 46.6),
        ("person detection", 71.1, 45.6, 36, 35.8),
    ],
)
def test_drop_of_the_means(task, own, others, printed, from_cells):
    table = next(t for t in published.cross_set() if t.task == task)
    assert (table.mean_own, table.mean_others, table.drop_of_means) == (own, others, printed)
    line = next(r for r in published.recomputed() if r.task == task and r.quantity == "drop of means" and r.table == "Table 1")
    assert line.recomputed == pytest.approx(from_cells, abs=0.05)


def test_margins_that_do_not_follow_from_the_cells():
    """The misprint of Table 1; and one mean of Table 2, which is recalled: 419.0 / 6 = 69.8, so a cell or the mean is wrong by a little."""
    lines = published.recomputed()
    assert len(lines) == 4 * (4 * 6 + 3) + 2 * (6 + 3) + 5
    wrong = [(r.table, r.task, r.quantity, r.reported, round(r.recomputed, 1), r.paper_value_source) for r in lines if not r.agrees]
    assert wrong == [
        ("Table 1", "car detection", "drop of means", 48, 38.1, "read"),
        ("Table 2", "car detection", "mean, own negatives", 70.0, 69.8, "from memory"),
    ]


def test_tolerances_are_tight_enough_to_find_a_misprint():
    """Off by two percent in a drop, or 0.3 in a mean, would be found; only where one AP divides a much larger one is there more room."""
    lines = published.recomputed()
    assert max(r.tolerance for r in lines if r.quantity.startswith(("mean", "self"))) <= 0.1
    assert max(r.tolerance for r in lines) < 1.5


def test_margins_by_hand():
    """Two of them with a pencil: PASCAL on cars, and who does well on Caltech-101's persons."""
    cars, _, persons, _ = published.cross_set()
    assert mean_others_ap(cars.ap)[2] == pytest.approx((10.1 + 25.5 + 43.9 + 44.2 + 39.4) / 5)
    assert drop_by_set(cars.ap)[2] == pytest.approx(100 * (1 - 32.62 / 35.2))
    assert mean_others_ap(persons.ap.T)[4] == pytest.approx((6.8 + 8.4 + 48.3 + 76.7 + 93.4) / 5)


def test_better_at_home_than_elsewhere_counts():
    assert [int((self_ap(t.ap) > mean_others_ap(t.ap)).sum()) for t in published.cross_set()] == [6, 6, 4, 5]


def test_table_2_prints_what_was_recalled():
    cars, persons = published.negative_set()
    assert (cars.mean_own, cars.mean_all_sets, cars.drop_of_means) == (70.0, 64.1, 8)
    assert (persons.mean_own, persons.mean_all_sets, persons.drop_of_means) == (71.1, 64.6, 9)
    assert {t.paper_value_source for t in (cars, persons)} == {"from memory"}
    assert [int((t.own > t.all_sets).sum()) for t in (cars, persons)] == [4, 4]


def test_market_value_runs_from_sample_to_benchmark():
    table = published.market_value()
    labelme, pascal = published.CURRENCIES.index("LabelMe"), published.CURRENCIES.index("PASCAL")
    assert table.alpha[labelme, pascal] == 0.26  # a LabelMe car on the PASCAL benchmark
    assert table.alpha[pascal, labelme] == 0.50
    assert {cell for cell, checked in table.paper_value_source.items() if checked == "read"} == {("LabelMe", "PASCAL")}
    assert (np.diag(table.alpha) == 1).all()


def test_baskets_are_the_rounded_column_means():
    table = published.market_value()
    assert np.round(basket_of_currencies(table.alpha), 2).tolist() == table.basket.tolist() == [0.41, 0.58, 0.48, 0.58, 0.20]
    assert not np.allclose(table.alpha.mean(1), table.basket, atol=0.1)  # not the row means


def test_the_paper_itself_has_zeros_in_a_quarter_of_its_cells():
    alpha = published.market_value().alpha
    assert fraction_between_zero_and_one(alpha) == 0.75
    assert fraction_below_one(alpha) == 1.0
