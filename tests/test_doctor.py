"""`myths doctor` says what is broken on this machine, and what the suite does about it."""

import pytest

from myths import doctor
from myths.lab.data import fetch
from myths.lab.measurement import kernels
from myths.lab.measurement.kernels import Finding
from myths.lab.storage import provenance


def by_name(lines, start):
    return [line for line in lines if line["check"].startswith(start)]


def test_a_fault_that_the_suite_avoids_is_named_with_what_it_does(monkeypatch):
    fine, contiguous, last = kernels.narrow_strided()
    answers = [Finding(fine, "right", 0.0), Finding(contiguous, "right", 0.0), Finding(last, "died (SIGABRT)")]
    monkeypatch.setattr(kernels, "check", lambda *cases, **settings: answers)
    (line,) = by_name(doctor._kernels(), "convolutions")
    assert line["status"] == "1×1 convolution, stride 2, 4 to 8 channels, channels last, backward: died (SIGABRT)"
    assert "The suite avoids it" in line["fix"]


@pytest.mark.parametrize("result", ["wrong", "hung", "died (SIGSEGV)"])
def test_a_fault_that_the_suite_does_not_avoid_warns_of_all_results(monkeypatch, result):
    monkeypatch.setattr(kernels, "check", lambda *cases, **settings: [Finding(kernels.narrow_strided()[0], result)])
    (line,) = by_name(doctor._kernels(), "convolutions")
    assert "may be wrong" in line["fix"]


@pytest.mark.skipif("AVX2" not in kernels.available(), reason="this CPU has no AVX2, the instruction set with the fault")
def test_under_avx2_it_finds_the_fault_in_truth(monkeypatch):
    for name, value in kernels.environment("AVX2").items():
        monkeypatch.setenv(name, value)
    lines = doctor._kernels()
    assert "AVX2" in by_name(lines, "linear algebra")[0]["status"]
    assert "channels last, backward: " in by_name(lines, "convolutions")[0]["status"]


def test_every_peer_is_there_with_its_version_or_absent_with_the_command(monkeypatch):
    monkeypatch.setattr(provenance, "packages", lambda names=(): {"jax": "0.10.2", "jaxlib": "0.10.2", "tensorflow": "2.21.0"})
    found = {line["check"]: line for line in doctor._frameworks()}
    assert found["framework jax"]["status"] == "0.10.2"
    assert found["framework casadi"]["status"] == "not installed"
    assert "make frameworks" in found["framework casadi"]["fix"]
    assert "framework tensorflow-cpu" not in found


def test_a_variant_says_what_it_is(monkeypatch):
    rows = [{"name": "a", "state": "modified", "note": "half of it"}, {"name": "b", "state": "not downloaded", "note": ""}]
    monkeypatch.setattr(fetch, "list_datasets", lambda: rows)
    assert [line["fix"] for line in doctor._data()] == ["not the official content: half of it", "myths data get b"]


def test_provenance_names_instruction_set_linear_algebra_and_frameworks():
    entry = provenance.invocation({"machine": provenance.machine("cpu")}, {}, [])
    machine = entry["machine"]
    assert machine["instruction_set"] == kernels.effective()
    assert machine["onednn"] == kernels.onednn_version()
    assert any(name.startswith(("openblas", "mkl", "blis", "accelerate")) for name in machine["blas"])
    assert entry["frameworks"] == provenance.packages(provenance.FRAMEWORKS)
