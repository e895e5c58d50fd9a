"""Every convolution and every bf16 matrix product that a trial of any profile computes, found by running each network once."""

import dataclasses
import functools
import math

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from myths import suite
from myths.cifar10_1.features import RandomPatches
from myths.fixup.architectures import ARCHITECTURES
from myths.fixup.network import ResidualNetwork
from myths.fixup.trials.image_training import ImageTrial
from myths.lab.measurement.kernels import Convolution, MatrixProduct
from myths.lab.myth import PROFILES
from myths.lab.vision.memory_format import place
from myths.lab.vision.networks import NETWORKS, build
from myths.lightweight_conv.layer_names import increasing_kernel_sizes
from myths.lightweight_conv.layers import LayerConfig
from myths.lightweight_conv.layers import build as build_layer
from myths.order.networks import Mlp, PatchTransformer
from myths.saliency.pretrained import load as load_pretrained

SHAPES = {
    "digits": (10, 1, 8), "shapes": (3, 3, 16), "mnist": (10, 1, 28), "cifar10": (10, 3, 32), "cifar100": (100, 3, 32),
    "imagenette": (10, 3, 64),
}  # fmt: skip
"""Classes, channels and pixels per side of datasets that networks are trained on."""

WITHOUT_OWN_CONVOLUTIONS = {
    "CompareHessians", "TimeHessian", "TimeGradient", "TimeNewtonStep", "TimeFormula", "MeasureMachine",
    "RecomputePublishedTables", "NameThatDataset", "CrossDatasetEvaluation", "CountDuplicates", "ClassifyRandomParts",
    "CrossDatasetNegatives", "LinearProbe",
    "PublishedAccuracy", "ReuseTestSet", "PublishedRanks", "PublishedHardImages", "EvaluateModel", "CompareModelRanks",
    "ExcludeTestImages", "SelectPublishedModel", "PublishedMeanDrop",
    "CountUnforgettable", "CorrelateCounts", "CompareCounts",
    "TrainTransformer", "ExportKernels", "TimeDecoding",
    "AttackImages", "RandomizeParameters", "MeasureCurvature", "MeasureInfluence", "ChangeImages",
    "LearnModes", "LearnTree", "DrawTrees", "FindCategory", "FindItemModes", "CompareOrders", "ThinSuperclass",
    "CheckIdentity", "RegenerateWirings", "MapErrors", "FitSurface", "CompareShapes", "CompareNetworks", "SelectBest", "FitFewWirings",
    "CompareEpochs", "CompareOtherCollection", "TrainWirings", "Predict", "PredictHeldOut",
    "CheckSampler", "LocateTransition", "SampleWirings", "CorrelateTransitions",
}  # fmt: skip
"""Trials that compute none, or only those of a network that a trial they depend on trains."""


class Recorder(TorchDispatchMode):
    """Keeps the shapes and formats of all convolutions, functional calls included."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.convolution.default:
            x, weight, _, stride, padding, dilation, transposed, _, groups = args
            assert not transposed, "a transposed convolution: teach lab/measurement/kernels.py what it is"
            self.seen.add(
                Convolution(
                    in_channels=x.shape[1], out_channels=weight.shape[0], size=tuple(x.shape[2:]), kernel_size=tuple(weight.shape[2:]),
                    stride=tuple(stride), padding=tuple(padding), dilation=tuple(dilation), groups=groups, batch=1,
                    input_format=format_of(x), weight_format=format_of(weight),
                )
            )  # fmt: skip
        if func in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default):
            a, b = args[-2:]
            self.seen.add(MatrixProduct(rows=64, inner=a.shape[1], columns=b.shape[1]))
        return func(*args, **(kwargs or {}))


def format_of(x):
    """By the strides, as torch chooses the kernel: a tensor of one pixel or one channel has both formats in name."""
    if x.dim() != 4 or x.shape[1] == 1:
        return "contiguous"
    last = x.stride(1) == 1 and x.stride(3) >= x.shape[1] and x.stride(2) >= x.stride(3) * x.shape[3]
    return "channels_last" if last else "contiguous"


def run_once(network, channels, side):
    recorder, memory_format = Recorder(), place(network.train(), "cpu")
    with torch.no_grad(), recorder:
        network(torch.rand(2, channels, side, side).contiguous(memory_format=memory_format))
    return recorder.seen


@functools.cache
def of_classifier(name, classes, channels, side):
    return run_once(build(name, classes, channels, side), channels, side)


@functools.cache
def of_order(name, classes, channels, side):
    return run_once({"mlp": Mlp, "patch_transformer": PatchTransformer}[name](classes, channels, side), channels, side)


@functools.cache
def of_residual(architecture, method, width, classes, channels, side):
    # Two blocks per stage have every shape that more have.
    depth = ARCHITECTURES[architecture].depth(2)
    return run_once(ResidualNetwork(architecture, depth, method, classes, channels, width), channels, side)


@functools.cache
def of_random_patches(channels, side, filters, stride):
    x = torch.randint(0, 256, (200, channels, side, side), dtype=torch.uint8)
    patches = RandomPatches(x, filters, torch.Generator().manual_seed(0), stride=stride)
    with torch.no_grad(), Recorder() as recorder:
        patches(x[:2])
    return {case for case in recorder.seen if isinstance(case, Convolution)}


@functools.cache
def of_layer(layer, channels, heads, kernel_size):
    seen = set()
    for causal in (True, False):
        with torch.no_grad(), Recorder() as recorder:
            build_layer(layer, LayerConfig(channels=channels, heads=heads, kernel_size=kernel_size, causal=causal))(
                torch.rand(2, 40, channels)
            )
        seen |= recorder.seen
    return seen


@functools.cache
def of_photographs():
    return run_once(load_pretrained("untrained", "cpu")[0], 3, 64)  # sizes are capped all the same


def cases_of(trial):
    """The fp32 cases of one trial."""
    kind = type(trial).__name__
    if isinstance(trial, ImageTrial):
        classes, channels, side = SHAPES[trial.dataset]
        return of_residual(trial.architecture, trial.method, trial.width, classes, channels, trial.image_size or side)
    if kind == "TrainDatasetClassifier":
        return of_classifier(trial.network, len(trial.sets), 3, trial.image_size)
    if kind == "EvaluatePretrained":
        return of_photographs()
    if kind == "FitCandidates":
        side = SHAPES[trial.dataset][2]
        return of_random_patches(*SHAPES[trial.dataset][1:], trial.n_filters, 1 if side < 32 else 2)
    if kind == "FitClassical":
        return of_random_patches(*SHAPES[trial.dataset][1:], trial.n_filters, trial.stride) if trial.method == "random features" else set()
    if kind in ("TrainTranslationModel", "TrainLanguageModel"):
        layers = max(getattr(trial, "encoder_layers", 0), getattr(trial, "decoder_layers", getattr(trial, "layers", 1)))
        own = {
            case
            for kernel_size in increasing_kernel_sizes(layers)
            for case in of_layer(trial.layer, trial.embed_dim, trial.heads, kernel_size)
        }
        feed_forward = [(trial.embed_dim, trial.ffn_dim), (trial.ffn_dim, trial.embed_dim)]
        return own | {MatrixProduct(rows=64, inner=inner, columns=columns) for inner, columns in feed_forward}
    if kind == "TrainRecall":
        return {case for layer in trial.layers for case in of_layer(layer, trial.embed_dim, trial.heads, 31)}
    if kind == "TrackImages" and trial.network not in NETWORKS:
        return of_order(trial.network, *SHAPES[trial.dataset])
    if kind == "TimeLayer":
        return {case for layer in trial.layers for case in of_layer(layer, trial.embed_dim, trial.heads, trial.kernel_size)}
    if getattr(trial, "network", None) in NETWORKS:
        return of_classifier(trial.network, *SHAPES[trial.dataset])
    assert kind in WITHOUT_OWN_CONVOLUTIONS, f"say in tests/convolutions.py which convolutions {kind} computes"
    return set()


def capped(case):
    """The same kind of case in a size that takes milliseconds, with the same remainder under its stride."""
    if isinstance(case, MatrixProduct):
        return case
    floor = max(k + (k - 1) * (d - 1) for k, d in zip(case.kernel_size, case.dilation, strict=True))
    size = tuple(
        n if n <= max(16, floor) else max(16, floor) + (n - max(16, floor)) % s for n, s in zip(case.size, case.stride, strict=True)
    )
    work = math.prod(size) * math.prod(case.kernel_size) * case.in_channels * case.out_channels / case.groups
    return dataclasses.replace(case, size=size, batch=int(min(32, max(1, 1e7 // work))))


@functools.cache
def all_cases():
    """Distinct cases, small ones first: fp32, and bf16 too where a trial leaves the precision to the device."""
    found = set()
    for myth in suite.OURS:
        for profile in PROFILES:
            for trial in with_dependencies(myth.trials(profile, None, ())):
                for case in cases_of(trial):
                    either = isinstance(case, MatrixProduct)
                    found |= set() if either else {capped(case)}
                    if getattr(trial, "precision", "fp32") != "fp32" or type(trial).__name__ in ("TrainDatasetClassifier", "TimeLayer"):
                        found.add(dataclasses.replace(capped(case), dtype="bfloat16"))
    return sorted(found, key=lambda case: (cost(case), str(case)))


def cost(case):
    if isinstance(case, MatrixProduct):
        return case.rows * case.inner * case.columns
    return case.batch * math.prod(case.size) * math.prod(case.kernel_size) * case.in_channels * case.out_channels / case.groups


def with_dependencies(trials):
    seen, waiting = {}, list(trials)
    while waiting:
        trial = waiting.pop()
        if trial.id not in seen:
            seen[trial.id] = trial
            waiting.extend(trial.dependencies)
    return seen.values()
