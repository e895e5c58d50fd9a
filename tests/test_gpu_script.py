"""The script for GPUs is whole: every stage rehearses on this machine, and a stage that fails costs only itself."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import gpu as script  # noqa: E402
from gpu_stages import STAGES, convolution, goals, runner, trainings  # noqa: E402
from gpu_stages.rates import Rates  # noqa: E402
from gpu_stages.stage import Goal, Run, Stage  # noqa: E402


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """The records of all stages, by name."""
    folder = tmp_path_factory.mktemp("rehearsal")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["gpu.py", "--tiny", "--device", "cpu", "--out", str(folder)])
        patched.setenv("OMP_NUM_THREADS", "2")  # so that stages that start a process per thread do
        script.main()
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_rehearses(rehearsal, name):
    record = rehearsal[name]
    assert (record["status"], record["error"]) == ("ok", "")
    assert record["rows"]
    assert record["tiny"]
    assert record["goals"].keys() == {goal.name for goal in STAGES[name].goals if goal.device == "cpu"}


def test_the_default_stages_take_at_most_four_minutes():
    assert sum(stage.seconds for stage in STAGES.values() if stage.default) <= 240


def test_the_page_lists_every_goal_with_the_numbers_that_are_committed():
    page = (ROOT / "docs" / "performance.md").read_text("utf-8")
    written = page.split("<!-- goals -->")[1].split("<!-- end of goals -->")[0].strip()
    assert written == goals.table_of_goals(), "replace the table by the output of: python benchmarks/gpu.py --goals"


def test_numbers_come_from_measurements_of_a_clean_commit_and_not_from_rehearsals():
    for path in goals.MEASURED.glob("*/*.json"):
        record = json.loads(path.read_text("utf-8"))
        assert record["machine_class"] == path.parent.name
        assert (record["status"], record["tiny"], record["dirty"], record["stage"]) == ("ok", False, False, path.stem)


def test_a_number_that_was_measured_is_in_the_table(tmp_path, monkeypatch):
    (tmp_path / "h200").mkdir()
    (tmp_path / "h200" / "hog.json").write_text(json.dumps({"goals": {"hog-gpu": 123.456}}))
    monkeypatch.setattr(goals, "MEASURED", tmp_path)
    head, _, *rows = goals.table_of_goals().splitlines()
    assert head.split("|")[-2].strip() == "h200"
    assert [row.split("|")[-2].strip() for row in rows if "on the GPU over one process" in row] == ["123"]
    assert sum(bool(row.split("|")[-2].strip()) for row in rows) == 1


def test_floors_are_those_of_reading_and_writing_once():
    rates = Rates(bytes_per_second=1e12, flops_per_second=1e15)
    size = convolution.Size(tokens=1000, channels=64, heads=4)
    # The convolution of a lightweight layer reads 2 x 64 and writes 64 numbers of two bytes per token.
    linear = sum(max(2e-12 * (1000 * (i + o) + i * o), 2e-15 * 1000 * i * o) for i, o in ((64, 128), (64, 64)))
    assert convolution.floor_seconds("lightweight", "forward", 50, size, rates) == pytest.approx(linear + 2e-12 * 1000 * 192)
    longer = [convolution.floor_seconds("attention", "forward", n, size, Rates(1e15, 1e12)) for n in (1000, 2000)]
    assert longer[1] - longer[0] == pytest.approx(4 * 1000 * 1000 * 64 / 1e12)


def test_goals_have_unique_names():
    names = [goal.name for stage in STAGES.values() for goal in stage.goals]
    assert len(names) == len(set(names))


def raises(run):
    run.row(reached=1)
    raise ValueError("on purpose")


def dies(run):
    run.row(reached=1)
    os._exit(9)


def hangs(run):
    run.row(reached=1)
    time.sleep(60)


def misses_a_peer(run):
    with run.peer("a package that nobody has"):
        import nobody_has_this  # noqa: F401
    run.reach("speed", 3.0)
    run.reach("speed on a GPU", 3.0)


def test_a_stage_that_fails_costs_only_itself(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(runner, "LEAST", 1.0)
    goals = (Goal("speed", "speed", "≥", 2, device="cpu"), Goal("speed on a GPU", "speed", "≥", 2))
    stages = [Stage(f.__name__, 3 if f is hangs else 60, "?", goals, True, f) for f in (raises, dies, hangs, misses_a_peer)]
    assert runner.run_stages(stages, runner.Request("cpu", False, tmp_path), 300.0) == 1
    records = {stage.name: json.loads((tmp_path / f"{stage.name}.json").read_text("utf-8")) for stage in stages}
    assert {name: (r["status"], r["error"]) for name, r in records.items()} == {
        "raises": ("failed", "ValueError: on purpose"),
        "dies": ("failed", "ended with exit status 9"),
        "hangs": ("failed", "out of time"),
        "misses_a_peer": ("ok", ""),
    }
    assert all(records[name]["rows"] == [{"reached": 1}] for name in ("raises", "dies", "hangs"))
    assert "ModuleNotFoundError" in records["misses_a_peer"]["rows"][0]["not_measured"]
    assert records["misses_a_peer"]["goals"] == {"speed": 3.0}
    assert "failed: raises, dies, hangs" in capfd.readouterr().out  # children may write elsewhere: their server may be older


@pytest.mark.parametrize(("speed", "tiny", "verdict"), [(3.0, False, "met"), (1.0, False, "MISSED"), (3.0, True, "rehearsed")])
def test_a_table_says_whether_a_goal_is_met(tmp_path, speed, tiny, verdict):
    run = Run(Stage("some", 1, "?", (Goal("speed", "how fast", "≥", 2, device="cpu"),), True, raises), "cpu", tiny, tmp_path, {})
    run.reach("speed", speed)
    assert run.table() == f"goal speed: {speed:g}, ≥ 2: {verdict} (how fast)"


def test_a_stage_that_does_not_fit_the_time_is_not_started(tmp_path, capfd):
    stage = Stage("long", 100, "?", (), True, raises)
    assert runner.run_stages([stage], runner.Request("cpu", False, tmp_path), 10.0) == 2
    assert "long: not started, needs 100 s of 10 s left: --stage long" in capfd.readouterr().out
    assert not list(tmp_path.iterdir())


def test_an_unknown_stage_is_refused_with_those_that_exist(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--stage", "warp"])
    with pytest.raises(SystemExit) as refused:
        script.main()
    assert refused.value.code == 2
    assert "unknown stage warp; available: device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "words"), [("--budget=-1", "--budget -1: expected seconds above 0"), ("--out=FILE/x", "Not a directory")]
)
def test_bad_options_are_refused_in_one_line(monkeypatch, capsys, tmp_path, option, words):
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--tiny", "--device", "cpu", option.replace("FILE", str(tmp_path / "file"))])
    with pytest.raises(SystemExit) as refused:
        script.main()
    assert refused.value.code == 2
    assert words in capsys.readouterr().err


def test_a_machine_without_a_gpu_is_told_what_it_can_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--out", str(tmp_path)])
    assert script.main() == 2
    assert "No GPU on this machine. Rehearse with --tiny" in capsys.readouterr().err


def test_the_list_names_every_stage(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--list"])
    assert script.main() == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]] == list(STAGES)


def test_the_rows_that_airbench_prints_are_read():
    """Columns: run, epoch, accuracy of the last batch, with one view and with six, seconds. Rules surround the rows."""
    row = "|  {:>6}  |  {:>5}  |  {:>9}  |  {:>7}  |  {:>11}  |  {:>12}  |".format
    header = row("run   ", "epoch", "train_acc", "val_acc", "tta_val_acc", "time_seconds")
    runs = [
        [row(run, 0, 0.5, 0.4, "", 0.3), row("", 7, 0.95, 0.93, "", 2.1), row("", "eval", 0.95, 0.93, six, seconds), "-" * 70]
        for run, six, seconds in (("warmup", 0.1, 90.0), (0, 0.9401, 2.5), (1, 0.9399, 2.7))
    ]
    printed = "\n".join(["-" * 70, header, "-" * 70, *(line for rows in runs for line in rows), "Mean: 0.94"])
    assert trainings.read_airbench(printed) == [(10.0, 90.0), (94.01, 2.5), (93.99, 2.7)]
