"""What only a GPU can show: every trial runs there too, with the numbers of the CPU. Skipped where there is none."""

import subprocess
import sys

import pytest
import torch

from myths import suite
from myths.forgetting.counter import ForgettingCounter
from myths.lab.data import prepared
from myths.lab.data.images import image_set
from myths.lab.execution import runner
from myths.lab.measurement import device as devices
from myths.lab.measurement.timing import Stopwatch, compare_timings
from myths.lab.storage import provenance
from myths.lab.storage.store import Store
from myths.lab.vision.augmentation import augment
from myths.lab.vision.classifier import TrainClassifier, load_classifier
from myths.lab.vision.networks import build
from myths.lab.vision.training import Hooks, TrainConfig, fit, predict

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")

TRIAL_TYPES = [pytest.param(myth, kind, id=f"{myth.name}-{kind.__name__}") for myth in suite.MYTHS for kind in myth.trial_types]


def record_of(trial, folder, types, device="cuda"):
    store = Store(folder, types)
    plan = runner.plan([trial], store, prepared.sha256_of)
    machine_class = devices.machine_class(device)
    done = runner.run(plan, store, runner.Invocation(device, prepared.sha256_of, "test", machine_class))
    assert done.failed == []
    record = store.finished(trial)
    assert record is not None
    return record, store


@pytest.mark.parametrize(("myth", "kind"), TRIAL_TYPES)
def test_every_trial_runs_on_the_gpu(myth, kind, tmp_path):
    record, _ = record_of(kind.test_instance(), tmp_path, myth.types_by_name)
    assert record.rows
    assert record.device == devices.machine_class("cuda") != "cpu"


def test_a_network_trained_on_the_gpu_answers_alike_on_the_cpu(tmp_path):
    trial = TrainClassifier(dataset="shapes", network="small_cnn", epochs=3, batch_size=64, precision="fp32")
    record, store = record_of(trial, tmp_path, {"TrainClassifier": TrainClassifier})
    assert record.rows[0]["test_accuracy_percent"] > 60
    assert record.peak_memory_bytes > 0
    x = image_set("shapes", "cpu").x_test
    on_gpu, on_cpu = (predict(load_classifier(trial, store.outcome(record), device), x, device=device) for device in ("cuda", "cpu"))
    assert (on_gpu.argmax(1) == on_cpu.argmax(1)).float().mean() > 0.99


def test_bf16_is_what_the_gpu_takes_by_itself():
    assert devices.precision_of("cuda", "auto") == ("bf16" if torch.cuda.get_device_capability() >= (8, 0) else "fp32")


def test_augmentation_stays_on_the_gpu_and_heeds_its_generator():
    x = image_set("shapes", "cuda").x_train[:64]
    fill = torch.zeros(3, device="cuda")
    one, again = (augment(x, "crop-flip-cutout", "reflect", fill, torch.Generator("cuda").manual_seed(3)) for _ in range(2))
    assert one.device.type == "cuda"
    assert torch.equal(one, again)


def test_the_stopwatch_waits_for_the_gpu():
    a = torch.randn(4096, 4096, device="cuda")
    with Stopwatch("cuda") as watch:
        for _ in range(20):
            a @ a
    floor = 20 * 2 * 4096**3 / 1e15  # no GPU multiplies float32 at 1,000 TFLOP/s
    assert watch.seconds > floor
    compared = compare_timings({"small": lambda: a[:512] @ a, "large": lambda: a @ a}, "cuda", budget_seconds=0.5)
    assert compared.ratio("large", "small") > 2


def test_running_out_of_gpu_memory_halves_the_chunk():
    total = torch.cuda.get_device_properties(0).total_memory
    per_item = total // 8

    def work(piece: slice) -> int:
        return torch.empty((piece.stop - piece.start) * per_item, dtype=torch.uint8, device="cuda").numel()

    results, chunk = devices.halve_on_out_of_memory(work, 16, 16, elements=1)
    assert sum(results) == 16 * per_item
    assert chunk < 16


def test_provenance_names_the_gpu():
    facts = provenance.machine("cuda")
    assert facts["gpu"] == torch.cuda.get_device_name()
    assert facts["driver"]


# --- recorded training steps ------------------------------------------------------------------------

TRAINED = {
    "sgd": ("small_cnn", {}),
    "adamw": ("small_cnn", {"optimizer": "adamw", "learning_rate": 0.001}),
    "muon": ("fast94", {"optimizer": "muon", "learning_rate": 0.05, "augmentation": "shift-alternating-flip"}),
    "mixup": ("resnet8", {"mixup": 1.0}),
    "dropout": ("mnist_cnn_dropout", {"augmentation": "crop-flip-cutout"}),
}


@pytest.mark.parametrize("case", TRAINED)
def test_recorded_training_runs_are_eager_ones_and_draw_the_same_numbers(case):
    """Losses of the first steps agree to rounding, with augmentation, mixup and dropout; later ones drift apart as rounding grows."""
    name, changed = TRAINED[case]
    images = image_set("shapes", "cuda")
    x, y = (part[:300] for part in images.training_split())
    settings = {"epochs": 3.0, "batch_size": 32, "learning_rate": 0.01, "augmentation": "crop-flip"} | changed
    found = []
    for on in (False, True):
        torch.manual_seed(0)
        network = build(name, len(images.classes), x.shape[1], x.shape[-1]).cuda()
        network.calibrate(x)
        counter = ForgettingCounter(len(x), "cuda")
        order, augmentation = torch.Generator().manual_seed(1), torch.Generator("cuda").manual_seed(2)
        torch.manual_seed(3)
        config = TrainConfig(**settings, cuda_graphs=on)
        hooks = Hooks(on_batch=counter.observe)
        found.append(fit(network, x, y, config, order=order, augmentation=augmentation, device="cuda", hooks=hooks))
        assert counter.n_presentations.tolist() == [3] * len(x)
    eager, recorded = found
    assert recorded.recording_seconds > 0 == eager.recording_seconds
    torch.testing.assert_close(recorded.losses[:20], eager.losses[:20], rtol=2e-3, atol=1e-4)
    assert (recorded.steps, recorded.diverged_at) == (eager.steps, None)


ON_A_GPU = """
import torch
from myths.fixup.network import build
from myths.lab.vision.training import TrainConfig, fit

torch.set_warn_always(True)
x = torch.randint(0, 256, (300, 3, 32, 32)).to(torch.uint8).cuda()
y = (torch.arange(300) % 10).cuda()
network = build("resnet", 14, "{method}", 10, 3)
network.blocks_per_segment = {segment}
network.cuda().calibrate(x)
generators = {{"order": torch.Generator(), "augmentation": torch.Generator("cuda")}}
config = TrainConfig(epochs=4.0, batch_size=64, schedule="constant", learning_rate=0.01)
done = fit(network, x, y, config, device="cuda", **generators)
assert done.recording_seconds > 0 and done.losses.isfinite().all() and done.steps == 20
"""


@pytest.mark.parametrize("method", ["fixup", "batch-norm"])
@pytest.mark.parametrize("segment", [0, 3])
def test_recorded_steps_warn_of_nothing(method, segment):
    """In a process of its own: the first product of matrices of a process is what may find no CUDA context."""
    script = ON_A_GPU.format(method=method, segment=segment)
    done = subprocess.run([sys.executable, "-W", "always", "-c", script], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Warning" not in done.stderr
