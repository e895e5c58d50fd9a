"""A user without a home folder is a user."""

import re
from pathlib import Path

import pytest

import myths
from myths.lab.data import prepared, user_data
from myths.lab.errors import UsageError
from myths.lab.execution.executors import execute
from myths.lab.storage.publish import publish
from myths.lab.trial import Context
from tests.lab.report import coin


@pytest.fixture
def nobody(monkeypatch):
    """A process of a user that has no account, as ``docker run --user 12345`` makes it."""
    pwd = pytest.importorskip("pwd")

    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "MYTHS_DATA", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(RuntimeError):
        Path.home()


def test_data_are_looked_for_below_the_root_trials_run_and_runs_are_published(nobody, tmp_path):
    assert prepared.roots() == (Path("/.cache/myths"),)
    assert prepared.require("digits").kind == "built-in"
    assert prepared.find("mnist") is None
    trial = coin.Toss(coin="euro")
    assert execute(trial, Context(trial)).error is None
    assert publish(coin.make_run(tmp_path / "local" / "cpu-laptop"), tmp_path / "published", (coin.COIN,)).is_dir()


def test_a_home_that_nobody_has_is_a_folder_that_is_not_there():
    with pytest.raises(UsageError, match="~no-such-user/pictures"):
        user_data.add("mine", "~no-such-user/pictures")


def test_only_one_place_asks_for_the_home():
    asking = {p.name for p in Path(myths.__file__).parent.rglob("*.py") if re.search(r"Path\.home\(|\.expanduser\(", p.read_text("utf-8"))}
    assert asking == {"home.py"}
