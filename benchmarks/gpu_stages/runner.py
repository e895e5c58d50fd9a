"""Run stages one after another, each in a process of its own."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from gpu_stages.stage import Run, Stage

OVERRUN = 2.0
"""A stage is ended after this many times its expected seconds, and not before ``LEAST`` seconds or the end of the time budget."""
LEAST = 60.0
REHEARSAL = 300.0


@dataclass(frozen=True)
class Request:
    """What the user asked for: the device, whether to rehearse, and the folder of the results."""

    device: str
    tiny: bool
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    """Machine, software and commit, which are part of each record."""


def run_stages(stages: Sequence[Stage], request: Request, budget: float) -> int:
    """Run stages that fit into a time budget. Return 0, 1 if one failed, or 2 if there is no device or no stage fits."""
    end = time.monotonic() + budget
    # Each stage is a fork of one server that has imported torch and not touched the GPU: it starts at once, with a context of its own.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gpu_stages"])
    forkserver.ensure_running()
    device = _device(request)
    if device is None:
        return 2
    request = Request(device, request.tiny, request.folder, _facts(device))
    failed: list[str] = []
    started = 0
    for stage in stages:
        left = end - time.monotonic()
        if stage.seconds > left and not request.tiny:
            print(f"\n--- {stage.name}: not started, needs {stage.seconds:g} s of {left:.0f} s left: --stage {stage.name}", flush=True)
            continue
        print(f"\n--- {stage.name}: {stage.answers} (about {stage.seconds:g} s on a GPU)", flush=True)
        (request.folder / f"{stage.name}.json").unlink(missing_ok=True)
        process = context.Process(target=_run, args=(stage, request))
        process.start()
        started += 1
        while process.is_alive() and not (request.folder / f"{stage.name}.json").exists():
            process.join(0.05)  # imports do not count
        process.join(_limit(stage, request, left))
        late = process.is_alive()
        if late:
            process.kill()
            process.join()
        if late or process.exitcode:
            failed.append(stage.name)
            _note_the_end(stage, request, "out of time" if late else f"ended with exit status {process.exitcode}")
    print(f"\nresults: {request.folder}" + (f"\nfailed: {', '.join(failed)}" if failed else ""))
    if not started:
        return 2
    return 1 if failed else 0


def _limit(stage: Stage, request: Request, left: float) -> float:
    """Return the seconds after which a stage is ended. A rehearsal may run on a slow or busy machine."""
    if request.tiny:
        return REHEARSAL
    return min(max(LEAST, OVERRUN * stage.seconds), max(left, stage.seconds))


def _device(request: Request) -> str | None:
    """Return the device, or print why none is measured and return None."""
    from myths.lab.errors import MythsError
    from myths.lab.measurement.device import select_device

    try:
        device = select_device(request.device)
    except MythsError as error:
        print(error, file=sys.stderr)
        return None
    if device == "cpu" and request.device == "auto" and not request.tiny:
        print("No GPU on this machine. Rehearse with --tiny, or measure the CPU with --device cpu", file=sys.stderr)
        return None
    return device


def _facts(device: str) -> dict[str, Any]:
    from myths.lab.measurement.device import machine_class
    from myths.lab.storage import provenance

    packages = provenance.packages((*provenance.PACKAGES, "triton", "captum", *provenance.FRAMEWORKS))
    machine = {"machine_class": machine_class(device), **provenance.commit(), "machine": provenance.machine(device)}
    return machine | {"packages": packages}


def _run(stage: Stage, request: Request) -> None:
    """Run one stage in this process, print its table, and exit with 1 if it failed."""
    run = Run(stage, request.device, request.tiny, request.folder, request.facts)
    run.save()
    try:
        run.stage.function(run)
        run.status = "ok"
    except Exception as error:  # noqa: BLE001 (whatever it is, the next stage must run)
        run.status, run.error = "failed", f"{type(error).__name__}: {error}"
        traceback.print_exc()
    run.save()
    print(run.table(), flush=True)
    sys.exit(run.status != "ok")


def _note_the_end(stage: Stage, request: Request, reason: str) -> None:
    """Complete the record of a stage that could not do so itself, and print the rows that it had."""
    path = request.folder / f"{stage.name}.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"stage": stage.name, "status": "running", "rows": []}
    if record["status"] == "running":
        record |= {"status": "failed", "error": reason}
        path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print("\n".join(map(str, record["rows"])))
    print(f"{stage.name} failed: {record['error']}", file=sys.stderr, flush=True)
