"""Graphs of the user: what is read, what is refused and why, and what is predicted."""

import numpy as np
import pytest

from myths import suite
from myths.lab.data import prepared, user_data
from myths.lab.errors import UsageError
from myths.lab.execution import runner
from myths.lab.storage.store import Results, Store
from myths.lab.trial import Context
from myths.wiring import facts, graphs, prediction, tables
from myths.wiring.prediction import predict_error
from myths.wiring.trials import Predict
from myths.wiring.user_summary import summarize, summarize_user_data


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(prediction, "SWEEPS", 60)


def added(tmp_path, text, name="mine"):
    file = tmp_path / "graph.csv"
    file.write_text(text)
    return user_data.add(name, file)


def listed(wiring, header="source,target\n"):
    return header + "".join(f"node {a},node {b}\n" for a, b in sorted(wiring.edges))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source,target\na,b\nb,b\n", "line 3: b is connected to itself"),
        ("source,target\na,b\nb,c\nb,a\n", "line 4: repeats the edge b – a of line 2"),
        ("1,2\n2,3\n4,5\n", "no path leads from 1 to 4"),
        ("source,target\na,b\nb\n", "line 3: expected two nodes, got 1"),
        ("source,target,weight\n1,2,1\n2,3,2\n", "has the columns source, target, weight; expected source and target only"),
        ("Target,Source\n1,2\n2,3\n", "has the columns Target, Source; expected source and target only, in this order"),
        ("source;target\n1;2\n2;3\n", "is separated by semicolons"),
        ("source,target\na,b,7\n", "line 2: expected two nodes, got 3"),
        ("source,target\n", "has 0 nodes"),
        ("source,target\na,b\nb,c\n", "has 3 nodes; expected 4 to 64"),
        ("source,target\n" + "".join(f"{i},{i + 1}\n" for i in range(70)), "is number 65; expected at most 64 nodes"),
    ],
)
def test_what_is_no_wiring_is_refused_in_one_line(tmp_path, text, words):
    with pytest.raises(UsageError) as refused:
        added(tmp_path, text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def predicted(name="mine"):
    trial = Predict(graph=name)
    return trial.run(Context(trial)).rows[0]


def test_a_published_wiring_gets_its_own_numbers_and_about_its_own_error(tmp_path):
    table, _ = facts.errors("MLP")
    row = table.iloc[2500]
    wiring = graphs.watts_strogatz(64, 64 * row["density"], row["rewire_probability"], int(row["graph_seed"]))
    assert "64 nodes" in added(tmp_path, listed(wiring)).summary[0]
    found = predicted()
    assert (found["clustering"], found["path_length"]) == pytest.approx((row["clustering"], row["path_length_hops"]), abs=1.1e-5)
    assert found["outside"] == ""
    assert found["predicted_low_percent"] < row["error1_percent"] < found["predicted_high_percent"]
    assert 0 <= found["better_percent"] <= 100


def test_the_interval_holds_one_run_of_the_published_wirings_as_often_as_it_says():
    table, _ = facts.errors("MLP")
    held = []
    for row in table.iloc[::60].to_dict("records"):
        wiring = graphs.watts_strogatz(64, 64 * row["density"], row["rewire_probability"], int(row["graph_seed"]))
        found = predict_error(wiring.density, graphs.invariants(wiring))
        held += [found["predicted_low_percent"] <= row[f"error{k}_percent"] <= found["predicted_high_percent"] for k in range(1, 6)]
    assert 0.9 < sum(held) / len(held) < 0.99


@pytest.mark.parametrize(
    ("wiring", "words"),
    [
        (graphs.watts_strogatz(32, 8, 0.1, 0), "32 nodes; the published wirings have 64"),
        (graphs.watts_strogatz(64, 4, 0.1, 0), "density 0.062; the published wirings have 0.125"),
    ],
)
def test_outside_the_range_seen_there_is_no_prediction(tmp_path, wiring, words):
    added(tmp_path, listed(wiring, header="Source, Target\n"))
    found = predicted()
    assert words in found["outside"]
    assert "predicted_percent" not in found


def test_a_run_on_a_graph_predicts_only_and_says_so(tmp_path):
    added(tmp_path, listed(graphs.watts_strogatz(64, 12, 0.1, 0)))
    wiring = suite.find("wiring")
    assert wiring.trials("quick", None, ("mine",)) == [Predict(graph="mine")]
    store = Store(tmp_path / "run", wiring.types_by_name)
    plan = runner.plan([Predict(graph="mine")], store, prepared.sha256_of)
    assert runner.run(plan, store, runner.Invocation("cpu", prepared.sha256_of, "test")).failed == []
    said = summarize_user_data({"user_graphs": tables.user_graphs(Results(store.records))})
    assert "mine: 64 nodes, 384 edges" in said
    assert "predicted test error" in said


def test_a_tree_has_one_spanning_tree(tmp_path):
    added(tmp_path, "source,target\n" + "".join(f"{i},{i + 1}\n" for i in range(63)))
    assert "10^0.0 spanning trees" in summarize("mine", predicted())


def test_other_data_is_refused(tmp_path):
    prepared.save("numbers", {"x": np.arange(3)}, source="x", note="user arrays", summary=[])
    with pytest.raises(UsageError, match="numbers is no graph"):
        suite.find("wiring").trials("quick", None, ("numbers",))
