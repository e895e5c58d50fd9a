"""Recorded training runs equal eager ones and a plain loop; what cannot be recorded is noticed."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from myths.fixup.network import build as build_residual
from myths.forgetting.counter import ForgettingCounter
from myths.lab import step_recorder
from myths.lab.errors import CannotStart, UsageError
from myths.lab.language import training as language
from myths.lab.language.attention import SelfAttention
from myths.lab.language.parallel_corpus import Pairs, padded
from myths.lab.language.training import Prediction, predict_pairs, translation_batches
from myths.lab.language.transformer import EncoderDecoder, LanguageModel, TransformerConfig
from myths.lab.language.vocabulary import EOS, PAD
from myths.lab.step_recorder import SWITCH, StepRecorder, can_record
from myths.lab.vision.augmentation import augment
from myths.lab.vision.memory_format import place
from myths.lab.vision.networks import build, channel_statistics
from myths.lab.vision.training import Hooks, TrainConfig, fit, lr_factor, make_optimizer
from myths.lightweight_conv.layers import builder as layer_builder
from myths.saliency.robust_training import SignedGradient
from tests.simulated_graph import Waited, simulate

N = 90
"""Examples: with minibatches of 16, an epoch has five of them and one of ten."""


def images(n=N, size=8):
    generator = torch.Generator().manual_seed(7)
    x = torch.randint(0, 256, (n, 3, size, size), generator=generator).to(torch.uint8)
    return x, torch.randint(0, 4, (n,), generator=generator)


def network(name="small_cnn"):
    torch.manual_seed(0)
    made = build_residual("resnet", 14, "batch-norm", 4, 3, 4) if name == "checkpointed" else build(name, 4, 3, 8)
    if name == "checkpointed":
        made.blocks_per_segment = 2
    made.calibrate(images()[0])
    return made


def settings(**changed):
    return TrainConfig(**{"epochs": 5.0, "batch_size": 16, "learning_rate": 0.05, "augmentation": "crop-flip-cutout"} | changed)


def trained(config, name="small_cnn", hooks=None):
    """Train on noise and return the weights and the result."""
    made, (x, y) = network(name), images()
    order, augmentation = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    torch.manual_seed(3)  # dropout
    hooks = hooks(made, config) if hooks else Hooks()
    done = fit(made, x, y, config, order=order, augmentation=augmentation, device="cpu", hooks=hooks)
    return made.state_dict(), done


def plain_loop(config, name="small_cnn"):
    """Train as the textbook does it: a loop over minibatches with a number for the learning rate."""
    made, (x, y) = network(name), images()
    memory_format = place(made.train(), "cpu")
    order, augmentation = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    torch.manual_seed(3)
    optimizer = make_optimizer(made, config)
    shares = np.random.default_rng(2).beta(config.mixup, config.mixup, 30) if config.mixup else None
    fill, losses = channel_statistics(x)[0], []
    for _ in range(round(config.epochs)):
        for i in torch.randperm(N, generator=order).split(16):
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * lr_factor(config, len(losses), 30)
            inputs = augment(x[i], config.augmentation, "reflect", fill, augmentation).contiguous(memory_format=memory_format)
            mean = partial(F.cross_entropy, label_smoothing=config.label_smoothing)
            if shares is None:
                loss = mean(made(inputs).float(), y[i])
            else:
                share, other = float(shares[len(losses)]), torch.randperm(len(i), generator=augmentation)
                logits = made(share * inputs + (1 - share) * inputs[other])
                loss = share * mean(logits, y[i]) + (1 - share) * mean(logits, y[i][other])
            losses.append(float(loss.detach()))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return made.state_dict(), losses


def assert_close(one, other, tolerance=1e-5):
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}")


VISION = {
    "sgd": ("small_cnn", {}),
    "adamw": ("small_cnn", {"optimizer": "adamw", "learning_rate": 0.003}),
    "steps, smoothed": ("wide_resnet_10_2", {"schedule": "step", "label_smoothing": 0.2, "momentum": 0.0}),
    "frozen filters": ("fast_narrow", {"augmentation": "flip"}),
    "mixup": ("small_cnn", {"mixup": 1.0, "augmentation": "none"}),
    "dropout": ("mnist_cnn_dropout", {"augmentation": "none"}),
}


@pytest.mark.parametrize("case", VISION)
def test_images_are_trained_on_as_in_a_plain_loop_eagerly_and_recorded(case, monkeypatch):
    name, changed = VISION[case]
    weights, losses = plain_loop(settings(**changed), name)
    eager, done = trained(settings(**changed), name)
    assert_close(eager, weights)
    assert done.losses.tolist() == pytest.approx(losses, rel=1e-4, abs=1e-5)
    assert done.recording_seconds == 0
    graphs = simulate(monkeypatch)
    recorded, again = trained(settings(**changed), name)
    assert graphs.recorded == 2  # whole minibatches and the last of an epoch
    assert again.recording_seconds > 0
    assert_close(recorded, weights)
    assert again.losses.tolist() == pytest.approx(losses, rel=1e-4, abs=1e-5)
    assert (again.steps, again.examples, again.diverged_at) == (done.steps, done.examples, done.diverged_at) == (30, 5 * N, None)


def test_checkpointed_networks_are_recorded(monkeypatch):
    eager, _ = trained(settings(), "checkpointed")
    graphs = simulate(monkeypatch)
    recorded, _ = trained(settings(), "checkpointed")
    assert graphs.recorded == 2
    assert_close(recorded, eager)


def test_hooks_are_recorded_or_stay_on_the_host(monkeypatch):
    """Counting and adversarial perturbations are recorded; a hook of the host sees every step, with the network of that step."""
    found = []
    for simulated in (False, True):
        counter = ForgettingCounter(N, "cpu", snapshots=(2, 4, 5))
        seen = []

        def hooks(made, config, counter=counter, seen=seen):
            start = torch.Generator().manual_seed(5)
            perturb = SignedGradient(made, config, 0.03, start)
            note = lambda number: seen.append((number, float(made.head.weight.detach().sum()), float(made.norms[0].running_mean.sum())))  # noqa: E731
            return Hooks(perturb=perturb, on_batch=counter.observe, before_update=note, generators=(start,))

        if simulated:
            graphs = simulate(monkeypatch)
        weights, _ = trained(settings(), hooks=hooks)
        found.append((weights, counter.arrays(), np.array(seen)))
    assert graphs.recorded == 4  # gradients and updates are apart
    assert_close(found[0][0], found[1][0])
    assert found[0][1].keys() == found[1][1].keys() == {
        "counts", "learning_events", "first_learned", "margin", "counts_after_2", "counts_after_4"
    }  # fmt: skip
    for name in ("counts", "learning_events", "first_learned", "counts_after_2", "counts_after_4"):
        assert np.array_equal(found[0][1][name], found[1][1][name])
    assert found[0][1]["counts"].sum() > 0
    np.testing.assert_allclose(found[0][2], found[1][2], rtol=1e-4, atol=1e-5)
    assert found[0][2][:, 0].tolist() == list(range(30))


def test_a_host_value_that_changes_is_noticed(monkeypatch):
    """The simulation has teeth: a learning rate that stays a number is frozen in the recording."""
    eager, _ = trained(settings())
    simulate(monkeypatch)

    def leave(recorder, optimizer):
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]

    monkeypatch.setattr(StepRecorder, "adapt", leave)
    frozen, _ = trained(settings())
    with pytest.raises(AssertionError):
        assert_close(frozen, eager)


@pytest.mark.parametrize("wait", [
    lambda batch: batch.losses.mean().item(), lambda batch: batch.losses.tolist(), lambda batch: float(batch.losses[0]),
    lambda batch: batch.logits[batch.labels == 1], lambda batch: batch.logits.cpu(), lambda batch: bool(batch.losses.isfinite().all()),
])  # fmt: skip
def test_a_step_that_waits_for_the_device_is_noticed(wait, monkeypatch):
    def on_batch(batch):
        wait(batch)

    trained(settings(epochs=1.0), hooks=lambda made, config: Hooks(on_batch=on_batch))  # eagerly it may wait
    simulate(monkeypatch)
    with pytest.raises(Waited):
        trained(settings(epochs=1.0), hooks=lambda made, config: Hooks(on_batch=on_batch))


# --- sequences --------------------------------------------------------------------------------------


def corpus():
    rng = np.random.default_rng(0)

    def side(low, high):
        return padded([np.concatenate([rng.integers(4, 12, rng.integers(low, high)), [EOS]]) for _ in range(40)], "cpu")

    return Pairs(side(1, 9), side(2, 9))


def translator():
    torch.manual_seed(0)
    shape = TransformerConfig(
        vocabulary=12, embed_dim=16, ffn_dim=16, heads=2, encoder_layers=1, decoder_layers=1, max_length=12, dropout=0.2
    )
    return EncoderDecoder(shape, lambda layer, *, causal: SelfAttention(16, 2, causal=causal, dropout=0.1))


SEQUENCES = language.TrainConfig(updates=60, learning_rate=5e-3, warmup=10, schedule="linear", clip=0.5)


def without_key_biases(model):
    """The weights without biases of attention's keys: these change no output, so that Adam follows the rounding of their gradients."""
    return {
        name: value[:16] if name.endswith("project_in.bias") and "cross" not in name else value
        for name, value in model.state_dict().items()
        if not name.endswith("cross.project_in.bias")
    }


def trained_on_pairs():
    model = translator()
    batches = translation_batches(corpus(), 60, torch.Generator().manual_seed(1))
    torch.manual_seed(3)
    return model, language.fit(model, partial(predict_pairs, model), batches, SEQUENCES, device="cpu")


def test_sequences_are_trained_on_as_in_a_plain_loop_eagerly_and_recorded(monkeypatch):
    plain, config, tokens = translator().train(), SEQUENCES, 0
    optimizer = torch.optim.AdamW(plain.parameters(), betas=(0.9, 0.98), eps=1e-9, weight_decay=config.weight_decay)
    batches = translation_batches(corpus(), 60, torch.Generator().manual_seed(1))
    torch.manual_seed(3)
    losses = []
    for update in range(config.updates):
        source, target = next(batches)
        optimizer.param_groups[0]["lr"] = config.learning_rate * language.lr_factor(config, update)
        logits = plain(source, source != PAD, target[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD, label_smoothing=config.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), config.clip)
        optimizer.step()
        losses.append(float(loss.detach()))
        tokens += int((target[:, 1:] != PAD).sum())
    eager, done = trained_on_pairs()
    assert_close(without_key_biases(eager), without_key_biases(plain), 1e-3)
    assert done.loss == pytest.approx(np.mean(losses[50:]), rel=1e-4)
    assert (done.updates, done.tokens, done.diverged_at) == (60, tokens, None)
    graphs = simulate(monkeypatch)
    recorded, again = trained_on_pairs()
    shapes = {tuple(map(tuple, (s.shape, t.shape))) for s, t in [next(batches) for _ in range(40)]}
    assert 1 < graphs.recorded <= len(shapes)
    assert_close(without_key_biases(recorded), without_key_biases(eager), 1e-3)
    assert (again.updates, again.tokens) == (done.updates, done.tokens)
    assert again.loss == pytest.approx(done.loss, rel=1e-5)


@pytest.mark.parametrize("layer", ["attention-window", "lightweight", "dynamic"])
def test_layers_of_myth_6_are_recorded(layer, monkeypatch):
    found = []
    for simulated in (False, True):
        torch.manual_seed(0)
        shape = TransformerConfig(vocabulary=12, embed_dim=8, ffn_dim=8, heads=2, encoder_layers=0, decoder_layers=1, max_length=12)
        model = LanguageModel(shape, layer_builder(layer, channels=8, heads=2, kernel_sizes=(3,), dropout=0.1))
        tokens = torch.randint(4, 12, (20, 4, 12), generator=torch.Generator().manual_seed(1))
        predict = lambda x, model=model: Prediction(model(x[:, :-1]), x[:, 1:])  # noqa: E731
        if simulated:
            graphs = simulate(monkeypatch)
        torch.manual_seed(3)
        config = language.TrainConfig(updates=20, learning_rate=5e-3, warmup=5)
        found.append(language.fit(model, predict, ((x,) for x in tokens), config, device="cpu").loss)
    assert graphs.recorded == 1
    assert found[1] == pytest.approx(found[0], rel=1e-4)


# --- where steps are recorded -----------------------------------------------------------------------


def test_steps_are_recorded_on_gpus_unless_switched_off(monkeypatch):
    assert can_record("cuda")
    assert can_record("cuda:1")
    assert not can_record("cpu")
    monkeypatch.setenv(SWITCH, "0")
    assert not can_record("cuda")
    monkeypatch.delenv(SWITCH)
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    assert not can_record("cuda")


def test_a_generator_elsewhere_and_the_configuration_exclude_recording():
    cpu = torch.Generator()
    assert not StepRecorder("cuda", generators=(cpu,)).enabled
    assert not StepRecorder("cuda", wanted=False).enabled
    assert StepRecorder("cuda").enabled


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (RuntimeError("operation not permitted\nmore"), CannotStart, rf"recorded as a CUDA graph: operation not permitted\. .*{SWITCH}=0"),
        (torch.OutOfMemoryError("out of memory"), torch.OutOfMemoryError, "out of memory"),
        (UsageError("sequence too long"), UsageError, "too long"),
    ],
)
def test_an_operation_that_cannot_be_recorded_is_named_with_the_switch(raised, expected, message, monkeypatch):
    class Graph:
        def register_generator_state(self, generator):
            raise AssertionError

    class Capture:
        """As torch's: the end of a failed recording raises another error."""

        def __init__(self, graph, pool, stream):
            pass

        def __enter__(self):
            pass

        def __exit__(self, *_):
            raise RuntimeError("operation failed due to a previous error during capture")

    def fails():
        raise raised

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", Capture)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    with pytest.raises(expected, match=message):
        step_recorder.record(fails, (), None)


def test_shapes_that_occur_once_are_not_recorded(monkeypatch):
    graphs = simulate(monkeypatch)
    recorder, count = StepRecorder("cpu"), torch.zeros(())
    step = partial(count.add_, 1)
    for key in range(20):
        recorder.run(step, key)
    assert graphs.recorded == 0
    for _ in range(5):
        recorder.run(step, 3)
    assert (graphs.recorded, float(count)) == (1, 25)


def test_inputs_of_equal_shapes_have_one_address(monkeypatch):
    first, second = torch.arange(3), torch.arange(3, 6)
    assert StepRecorder("cpu").fixed((first,))[0] is first
    simulate(monkeypatch)
    recorder = StepRecorder("cpu")
    (one,) = recorder.fixed((first,))
    (other,) = recorder.fixed((second,))
    assert one is other is not second
    assert other.tolist() == [3, 4, 5]
    assert recorder.fixed((first[:2],))[0] is not one


def test_training_leaves_the_optimizer_of_an_eager_run_with_numbers():
    made = network()
    optimizer = make_optimizer(made, settings())
    copied = copy.deepcopy(optimizer.param_groups[0]["lr"])
    StepRecorder("cpu").adapt(optimizer)
    assert optimizer.param_groups[0]["lr"] == copied
    step_recorder.set_learning_rate(optimizer, 0.5)
    assert optimizer.param_groups[0]["lr"] == 0.5 * copied
