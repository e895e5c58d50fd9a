"""The energy of a trial by a stand-in for nvidia-smi, and what becomes of it in a stored line and on a page."""

import json
import time
from types import SimpleNamespace

import pytest
import torch

from myths.lab.measurement.energy import MIN_SAMPLES, EnergyMeter
from myths.lab.report import formatting
from myths.lab.storage.store import Store, TrialRecord
from tests.lab.report import coin

SAYS = {
    "200 and 300 watts": ("while :; do echo 200.00; echo 300.00; sleep 0.02; done", 250.0),
    "nothing that it could": ("while :; do echo '[N/A]'; sleep 0.02; done", None),
    "too little": (f"for i in $(seq {MIN_SAMPLES - 1}); do echo 100.00; done; sleep 60", None),
    "an error": ("echo 'No devices were found'; exit 6", None),
}


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """Puts a program of the name into the path."""

    def put(script: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n{script}\n')
        program.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="ab-12"))
    return put


@pytest.mark.parametrize("says", SAYS)
def test_mean_power_times_seconds(smi, says, tmp_path):
    script, watts = SAYS[says]
    smi(script)
    begun = time.perf_counter()
    with EnergyMeter("cuda") as meter:
        time.sleep(0.6)
    seconds = time.perf_counter() - begun
    assert "--id=GPU-ab-12 --query-gpu=power.draw" in (tmp_path / "asked").read_text()
    if watts is None:
        assert meter.joules is None
    else:
        # Ends in between two lines at most, so that one more of either sort is possible.
        assert meter.joules == pytest.approx(watts * seconds, rel=0.1)


def test_no_sampler_no_energy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="ab-12"))
    for device in ("cpu", "cuda"):
        with EnergyMeter(device) as meter:
            pass
        assert meter.joules is None


def test_a_line_has_energy_only_where_it_was_read(tmp_path):
    store = Store(tmp_path, {"Toss": coin.Toss})
    for seed, joules in enumerate((None, 7200.04)):
        store.append(TrialRecord(coin.Toss(coin="ducat", times=10, seed=seed), "ok", [{"heads": 5}], energy_joules=joules), {})
    first, second = (json.loads(line) for line in (tmp_path / "trials.jsonl").read_text().splitlines())
    assert "energy_joules" not in first
    assert second["energy_joules"] == 7200.0
    assert [record.energy_joules for record in Store(tmp_path, {"Toss": coin.Toss}).records] == [None, 7200.0]


def test_energy_in_words():
    assert formatting.format_energy(75) == f"75{formatting.SPACE}J"
    assert formatting.format_energy(7200) == f"2.0{formatting.SPACE}Wh"
