"""The script for GPUs is whole: every stage rehearses on this machine, and a stage that fails costs only itself."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from gpu_stages import STAGES, runner  # noqa: E402
from gpu_stages.stage import Goal, Stage  # noqa: E402


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """The records of all stages, by name, and what the script printed."""
    folder = tmp_path_factory.mktemp("rehearsal")
    command = [sys.executable, "benchmarks/gpu.py", "--tiny", "--device", "cpu", "--out", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)
    records = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
    return records, done.stdout + done.stderr


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_rehearses(rehearsal, name):
    records, printed = rehearsal
    record = records[name]
    assert (record["status"], record["error"]) == ("ok", "")
    assert record["rows"]
    assert record["tiny"]
    assert record["goals"].keys() == {goal.name for goal in STAGES[name].goals if goal.device == "cpu"}
    assert f"--- {name}: " in printed


def test_the_default_stages_take_at_most_four_minutes():
    assert sum(stage.seconds for stage in STAGES.values() if stage.default) <= 240


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
    assert "goal speed: 3, ≥ 2: met" in capfd.readouterr().out


def test_a_stage_that_does_not_fit_the_time_is_not_started(tmp_path, capfd):
    stage = Stage("long", 100, "?", (), True, raises)
    assert runner.run_stages([stage], runner.Request("cpu", False, tmp_path), 10.0) == 0
    assert "long: not started, needs 100 s of 10 s left: --stage long" in capfd.readouterr().out
    assert not list(tmp_path.iterdir())


def test_an_unknown_stage_is_refused_with_those_that_exist():
    command = [sys.executable, ROOT / "benchmarks" / "gpu.py", "--stage", "warp"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown stage warp; available: device" in done.stderr
