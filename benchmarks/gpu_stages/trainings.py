"""Training runs that keep the GPU busy: recorded steps beside eager ones, fast94 beside airbench, and several runs at once."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpu_stages.stage import Goal, Run, stage
from myths import suite
from myths.lab.data import prepared
from myths.lab.data.images import image_set
from myths.lab.execution.seconds_table import kind_of
from myths.lab.language import training as language
from myths.lab.language.parallel_corpus import Pairs
from myths.lab.language.training import predict_pairs, translation_batches
from myths.lab.language.transformer import EncoderDecoder, TransformerConfig
from myths.lab.language.vocabulary import BOS, EOS, PAD
from myths.lab.measurement.device import precision_of
from myths.lab.measurement.timing import Stopwatch
from myths.lab.step_recorder import StepRecorder
from myths.lab.trial import Context, Trial, canonical, dependencies_first
from myths.lab.vision.classifier import FAST94, TrainClassifier
from myths.lab.vision.networks import build
from myths.lab.vision.training import TrainConfig, accuracy, fit, predict
from myths.lightweight_conv.layer_names import increasing_kernel_sizes
from myths.lightweight_conv.layers import builder

PEER = Path(__file__).resolve().parents[1] / "airbench94_muon.py"
"""Script of KellerJordan/cifar10-airbench. It has to be copied here by hand."""
RECIPES = {"mnist_cnn": 64, "resnet8": 128, "resnet20": 512, "fast": 1024, "resnet18": 512}
"""Batch size of each network. The first two are limited by kernel launches."""


def noise(n: int, device: str, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random images and labels on a device. Steps take the same time as on data."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (n, 3, size, size), generator=generator, dtype=torch.uint8)
    return x.to(device), torch.randint(0, 10, (n,), generator=generator).to(device)


def trainer(name: str, batch: int, device: str, n: int, **changed: Any) -> Callable[..., Any]:
    """Return a function that trains a new network for one epoch of ``n`` random images, with other settings if given."""
    x, y = noise(n, device)
    shared = TrainConfig(epochs=1.0, batch_size=batch, learning_rate=0.01, schedule="constant", precision=precision_of(device, "auto"))

    def train(**other: Any) -> Any:
        torch.manual_seed(0)
        network = build(name, 10, 3, 32).to(device)
        network.calibrate(x)
        order, augmentation = torch.Generator().manual_seed(1), torch.Generator(device).manual_seed(2)
        return fit(network, x, y, replace(shared, **changed, **other), order=order, augmentation=augmentation, device=device)

    return train


@contextlib.contextmanager
def no_waiting(device: str) -> Iterator[None]:
    """Let every step fail that waits for the GPU, in a ``with`` block."""
    run = StepRecorder.run

    def strict(recorder: StepRecorder, function: Callable[[], None], key: Any) -> None:
        before = torch.cuda.get_sync_debug_mode()

        def guarded() -> None:
            torch.cuda.set_sync_debug_mode("error")
            try:
                function()
            finally:
                torch.cuda.set_sync_debug_mode(before)

        run(recorder, guards.setdefault(function, guarded), key)

    guards: dict[Any, Callable[[], None]] = {}
    if device.startswith("cuda"):
        StepRecorder.run = strict  # type: ignore[method-assign]
    try:
        yield
    finally:
        StepRecorder.run = run  # type: ignore[method-assign]


SAME = Goal("recorded-loss", "largest relative difference of the loss of 40 steps, recorded and eager, fp32", "≤", 1e-3, "the eager step")


@stage("recorded", seconds=45, answers="how fast are recorded training steps beside eager ones, and are they the same?", goals=[SAME])
def recorded(run: Run) -> None:
    """Compare losses of both in float32, without waiting for the device, then the time of a step in bf16."""
    worst = 0.0
    recipes = run.pick(RECIPES, {"resnet8": 8})
    with no_waiting(run.device):
        for name in recipes:
            train = trainer(name, 32, run.device, run.pick(41 * 32 + 7, 5 * 32 + 7), precision="fp32", augmentation="crop-flip-cutout")
            eager, again = (train(cuda_graphs=on).losses[:40] for on in (False, True))
            difference = float(((again - eager) / eager).abs().max())
            worst = max(worst, difference)
            run.row(network=name, batch=32, precision="fp32", loss_difference=difference)
        sequences = {layer: [sequence_run(layer, run, on) for on in (False, True)] for layer in run.pick(LAYERS, LAYERS[:1])}
        for layer, (eager, again) in sequences.items():
            difference = abs(again.loss / eager.loss - 1)
            worst = max(worst, difference)
            run.row(network=f"translation, {layer}", precision="fp32", loss_difference=difference)
    run.reach("recorded-loss", worst)
    for name, batch in recipes.items():
        train = trainer(name, batch, run.device, run.pick(200, 5) * batch)
        rates = {}
        for path, on in (("eager", False), ("recorded", True)):
            train(cuda_graphs=on)
            done = train(cuda_graphs=on)
            rates[path] = 1000 * (done.seconds - done.recording_seconds) / done.steps
        run.row(
            network=name, batch=batch, precision=precision_of(run.device, "auto"), eager_ms=rates["eager"], recorded_ms=rates["recorded"],
            speedup=rates["eager"] / rates["recorded"], recording_seconds=done.recording_seconds,
        )  # fmt: skip


LAYERS = ("attention", "lightweight", "dynamic")


def sequence_run(layer: Any, run: Run, recorded: bool) -> language.TrainResult:
    """Train a translation model on random sentences of a few lengths, without dropout."""
    rng = np.random.default_rng(0)
    lengths = rng.choice([6, 9, 12], (2, 480))
    source, target = (np.where(np.arange(14) < each[:, None], rng.integers(4, 200, (480, 14)), PAD) for each in lengths)
    for side, each in ((source, lengths[0]), (target, lengths[1])):
        side[np.arange(480), each - 1] = EOS
    target[:, 0] = BOS
    pairs = Pairs(*(torch.from_numpy(side.astype(np.int32)).to(run.device) for side in (source, target)))
    shape = TransformerConfig(
        vocabulary=200, embed_dim=64, ffn_dim=64, heads=4, encoder_layers=1, decoder_layers=1, max_length=16, dropout=0.0
    )
    torch.manual_seed(0)
    model = EncoderDecoder(shape, builder(layer, channels=64, heads=4, kernel_sizes=increasing_kernel_sizes(1), dropout=0.0))
    config = language.TrainConfig(updates=run.pick(100, 6), learning_rate=1e-3, warmup=10, cuda_graphs=recorded)
    batches = translation_batches(pairs, 1000, torch.Generator().manual_seed(1))
    return language.fit(model, partial(predict_pairs, model), batches, config, device=run.device)


# --- fast94 -----------------------------------------------------------------------------------------


def cifar10(run: Run) -> tuple[torch.Tensor, ...]:
    """Return training images and labels and test images and labels on the device; random images in a rehearsal."""
    if run.tiny:
        return *noise(64, run.device, 16), *noise(32, run.device, 16)
    images = image_set("cifar10", run.device)
    return *images.training_split(), images.x_test, images.y_test


def train_fast94(run: Run, data: tuple[torch.Tensor, ...], seed: int) -> tuple[float, float, float]:
    """Train fast94 and return its accuracy with one view and with six, in percent, and its seconds: training and test with six views."""
    x, y, x_test, y_test = data
    trial = TrainClassifier(**{**FAST94, **run.pick({}, {"epochs": 1.0, "batch_size": 32})}, seed=seed)
    config = trial.train_config(run.device)
    with Stopwatch(run.device) as watch:
        torch.manual_seed(seed)
        network = build(trial.network, 10, 3, x.shape[-1]).to(run.device)
        network.calibrate(x)
        order, augmentation = (torch.Generator(run.device).manual_seed(seed + which) for which in (1000, 2000))
        fit(network, x, y, config, order=order, augmentation=augmentation, device=run.device)
        logits = predict(network, x_test, device=run.device, batch=2000, precision=config.precision, views="six")
    single = predict(network, x_test, device=run.device, batch=2000, precision=config.precision)
    return 100 * accuracy(single, y_test), 100 * accuracy(logits, y_test), watch.seconds


def train_several(run: Run, data: tuple[torch.Tensor, ...], runs: int) -> list[tuple[float, float, float]]:
    """Train fast94 with several seeds, after a run that loads libraries."""
    first = run.pick(1, 0)
    return [train_fast94(run, data, seed) for seed in range(first + runs)][first:]


SEEDS = 20
FAST94_GOAL = Goal("fast94", f"accuracy of fast94 on CIFAR-10 with six views, mean of {SEEDS} seeds, %", "≥", 94.0)


@stage("fast94", seconds=60, answers="does fast94 reach 94.0 %, and in how many seconds?", goals=[FAST94_GOAL])
def fast94(run: Run) -> None:
    """Train 20 networks."""
    data = cifar10(run)
    found = train_several(run, data, run.pick(SEEDS, 1))
    single, six, seconds = (np.array(column) for column in zip(*found, strict=True))
    columns = {"one_view_percent": single.mean(), "six_views_percent": six.mean(), "std_of_seeds": six.std(ddof=1) if len(six) > 1 else 0.0}
    times = {"median_seconds": float(np.median(seconds)), "least_seconds": seconds.min(), "largest_seconds": seconds.max()}
    run.row(seeds=len(found), **columns, **times)
    run.reach("fast94", six.mean())


RATIO = Goal("airbench", "seconds of fast94 over those of its peer, training and test with six views", "≤", 1.5, "airbench94_muon.py")


@stage("airbench", seconds=200, default=False, answers="how long does fast94 take beside airbench94_muon.py?", goals=[RATIO])
def airbench(run: Run) -> None:
    """Train five networks of each. The peer compiles its network for about two minutes before."""
    data, runs = cifar10(run), run.pick(5, 1)
    ours = train_several(run, data, runs)
    seconds = statistics.median(s for *_, s in ours)
    run.row(method="fast94", runs=runs, six_views_percent=statistics.mean(six for _, six, _ in ours), median_seconds=seconds)
    with run.peer("airbench94_muon.py"):
        if not PEER.exists():
            raise FileNotFoundError("copy airbench94_muon.py of KellerJordan/cifar10-airbench to benchmarks/")
        theirs = run_airbench(data, runs)
        median = statistics.median(s for _, s in theirs)
        accuracies = statistics.mean(six for six, _ in theirs)
        run.row(method="airbench94_muon.py", runs=runs, six_views_percent=accuracies, median_seconds=median)
        run.reach("airbench", seconds / median)


DRIVER = """
import importlib.util, sys, torch
path, runs = sys.argv[1], int(sys.argv[2])
sys.argv = [path]
spec = importlib.util.spec_from_file_location("airbench", path)
peer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(peer)
model = peer.CifarNet().cuda().to(memory_format=torch.channels_last)
model.compile(mode="max-autotune")
for run in ["warmup", *range(runs)]:
    peer.main(run, model)
"""


def run_airbench(data: tuple[torch.Tensor, ...], runs: int) -> list[tuple[float, float]]:
    """Run the peer in a process of its own, on the same images, and return its accuracy in percent and its own seconds of each run."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cifar10").mkdir()
        for part, (images, labels) in {"train": data[:2], "test": data[2:]}.items():
            record = {
                "images": images.permute(0, 2, 3, 1).contiguous().cpu(),
                "labels": labels.cpu(),
                "classes": [str(i) for i in range(10)],
            }
            torch.save(record, Path(folder) / "cifar10" / f"{part}.pt")
        command = [sys.executable, "-c", DRIVER, str(PEER), str(runs)]
        printed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    return read_airbench(printed)[1:]


def read_airbench(printed: str) -> list[tuple[float, float]]:
    """Return accuracy in percent and seconds of each run from what the peer prints: the last two columns of its rows "eval"."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("|")]
    return [(100 * float(six), float(seconds)) for _, epoch, _, _, six, seconds in rows if epoch == "eval"]


# --- several runs at once ---------------------------------------------------------------------------

JOBS = (1, 2, 4, 8)
LAUNCH_BOUND, LARGE = ("resnet8", 128), ("resnet18", 512)
JOBS_GOAL = Goal("jobs", "training runs per hour of ResNet-8 with the best number of jobs, relative to one", "≥", 2.0, "one job")


@dataclass(frozen=True)
class Share:
    """What each process of a measurement shares: the device, the settings, and when to begin."""

    device: str
    batches: int
    seconds: float
    barrier: Any
    results: Any


@stage("jobs", seconds=110, default=False, answers="how many training runs at once does one GPU take?", goals=[JOBS_GOAL])
def jobs(run: Run) -> None:
    """Train in 1, 2, 4 and 8 processes at once. The processes start together and count what they finish in the same seconds."""
    alone: dict[str, float] = {}
    best = 0.0
    for n in run.pick(JOBS, (2,)):
        for (name, batch), rate in zip((LAUNCH_BOUND, LARGE), _rates(run, n), strict=True):
            alone.setdefault(name, rate)
            run.row(network=name, batch=batch, jobs=n, images_per_second=rate, relative_to_one_job=rate / alone[name])
            best = max(best, rate / alone[name]) if name == LAUNCH_BOUND[0] else best
    run.reach("jobs", best)


def _rates(run: Run, n: int) -> list[float]:
    """Return the images per second of ``n`` processes together, for each network."""
    context = multiprocessing.get_context("spawn")
    share = Share(run.device, run.pick(100, 1), run.pick(4.0, 0.1), context.Barrier(n), context.Queue())
    processes = [context.Process(target=_train_repeatedly, args=(share, run.tiny)) for _ in range(n)]
    for process in processes:
        process.start()
    found = [share.results.get(timeout=300) for _ in range(n)]
    for process in processes:
        process.join()
    return [sum(rates) for rates in zip(*found, strict=True)]


def _train_repeatedly(share: Share, tiny: bool) -> None:
    """Train each network again and again for some seconds and report images per second."""
    rates = []
    for name, batch in (LAUNCH_BOUND, LARGE):
        batch = 4 if tiny else batch
        train = trainer("resnet8" if tiny else name, batch, share.device, share.batches * batch)
        train()
        share.barrier.wait()
        images, start = 0, time.monotonic()
        while time.monotonic() - start < share.seconds:
            images += train().examples
        rates.append(images / (time.monotonic() - start))
        share.barrier.wait()
    share.results.put(rates)


# --- durations of trials ----------------------------------------------------------------------------

SHORTER = {"epochs": 2.0, "updates": 150}
"""Longest schedule with which a trial is timed. Its relative cost is in proportion."""


@stage("seconds", seconds=110, default=False, answers="how long do trials take? (rows for benchmarks/seconds.py)")
def seconds(run: Run) -> None:
    """Time the cheapest trial of each class and kind that needs no other trial, on a short schedule, until the time is over."""
    start, limit = time.monotonic(), run.pick(100.0, 20.0)
    for trial in run.pick(shortened_trials(), [TrainClassifier.test_instance()]):
        if time.monotonic() - start > limit:
            run.row(not_measured=str(trial))
            continue
        with run.peer(str(trial)):
            with Stopwatch(run.device) as watch:
                trial.run(Context(trial, run.device))
            run.row(trial=str(trial), seconds=watch.seconds, relative_cost=trial.relative_cost, canonical=json.dumps(canonical(trial)))


def shortened_trials() -> list[Trial]:
    """Return one trial per class and kind of the profile gpu: those that train, the cheapest of each kind, with few epochs or updates."""
    cheapest: dict[tuple[str, str], Trial] = {}
    for trial in (trial for myth in suite.OURS for trial in dependencies_first(myth.trials("gpu", None, ()))):
        shorter = {name: most for name, most in SHORTER.items() if getattr(trial, name, 0) > most}
        if trial.dependencies or not (hasattr(trial, "epochs") or hasattr(trial, "updates")):
            continue
        if trial.skip_reason() or any(prepared.find(name) is None for name in trial.data):
            continue
        short = replace(trial, **shorter)  # type: ignore[type-var]
        key = type(trial).__name__, kind_of(trial)
        if key not in cheapest or short.relative_cost < cheapest[key].relative_cost:
            cheapest[key] = short
    return sorted(cheapest.values(), key=lambda trial: trial.relative_cost)
