"""An interrupt that a library swallows ends the run before the next trial."""

import contextlib
import os
import signal
from dataclasses import dataclass
from typing import ClassVar

import pytest

from myths.lab.execution import interruption
from myths.lab.execution.runner import Invocation, plan, run
from myths.lab.storage.store import Store
from myths.lab.trial import Context, Outcome, Trial


@dataclass(frozen=True, kw_only=True)
class Swallows(Trial):
    """Sends a signal to this process and clears the exception, as an extension in C may do."""

    number: int
    which: int
    ran: ClassVar[list[int]] = []

    def run(self, context: Context) -> Outcome:
        self.ran.append(self.number)
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), self.which)
        return Outcome([{"number": self.number}])


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_the_trial_that_swallowed_it_is_kept_and_the_next_does_not_start(tmp_path, monkeypatch, which):
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(interruption, "_received", [])
    monkeypatch.setattr(Swallows, "ran", [])
    store = Store(tmp_path / "m", {"Swallows": Swallows})
    trials = [Swallows(number=i, which=int(which)) for i in range(3)]
    try:
        interruption.install()
        with pytest.raises(KeyboardInterrupt):
            run(plan(trials, store, lambda name: ""), store, Invocation("cpu", lambda name: "", "x"))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert len(Swallows.ran) == 1
    assert [record.rows for record in store.records] == [[{"number": Swallows.ran[0]}]]


def test_without_a_signal_nothing_is_raised(monkeypatch):
    monkeypatch.setattr(interruption, "_received", [])
    interruption.check()
