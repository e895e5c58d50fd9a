"""Myth 7: saliency maps are a robust way to interpret networks. Fragile interpretations (Ghorbani, Abid & Zou 2019).

A perturbation that is too small to see keeps the prediction and changes the saliency map. Random noise changes the map, too.

1. ``attributions``: seven attribution methods; ``maps``: saliency maps computed from them.
2. ``attacks``: perturbations that keep the label, differentiated through a softplus network (``surrogate``); ``metrics`` and
   ``comparison``: similarity of the maps before and after.
3. ``curvature``, ``parameter_randomization``, ``influence_attack``: cause of the fragility, dependence of the maps on the parameters, and
   influence functions.
4. ``everyday_changes``: small shifts and rotations, JPEG, and brightness.
5. ``trials``: measurements on networks that this suite trains (standard, adversarial, softplus) or that are pretrained, and on user images.

From Python, ``explain`` and ``attack`` accept any ``torch.nn.Module`` and an image. ``normalized`` wraps a model of normalized pixels.
"""

from typing import TYPE_CHECKING, Any

from myths.lab.myth import ARTICLE, Myth, Paper
from myths.saliency import figures, pictures, tables
from myths.saliency.claims import CLAIMS
from myths.saliency.profiles import trials
from myths.saliency.trials import (
    AttackImages,
    AttackUserImages,
    ChangeImages,
    EvaluatePretrained,
    MeasureCurvature,
    MeasureInfluence,
    RandomizeParameters,
    TrainNetwork,
)

MYTH = Myth(
    name="saliency",
    number=7,
    belief="Saliency maps are a robust way to interpret neural networks.",
    rebuttal=(
        "A perturbation of at most 8/255 (L∞ norm) keeps the predicted label of an ImageNet photograph. It leaves 0.5 % of the 1,000 "
        "most salient pixels unchanged for the simple gradient, 1 % for DeepLIFT and 18 % for integrated gradients. Random noise of "
        "that size leaves less than 30 %."
    ),
    discussion=(
        "The authors do not conclude that the methods are broken: the network is fragile, and so is a faithful map of it. Their random "
        "baseline is a random walk of 300 steps, of which the worst iterate is selected. This suite measures such a walk and a single "
        "random perturbation. Its walks have as many steps as the attack: 300 for the simple gradient of photographs, and fewer but larger "
        "steps for the others. In the authors' notebooks, the number labeled as confidence after the attack is the size of the "
        "perturbation, which is probably an error. Their code explains a probability with integrated gradients and a logit with the other "
        "methods, so this suite can compare the methods both ways; no published run has explained the logit. The top-k intersection "
        "penalizes a map that shifts by one pixel. LENS (Kamath et al. 2024) does not: by LENS, a random walk changes less of a map, but "
        "maps of different images are also more similar. Both are therefore compared with the map of another image. By LENS, too, the "
        "attack changes much more than a random walk (T7-lens-attack). Adversarially trained networks are more robust, but less accurate; "
        "whether smooth networks are is undecided (T7-softplus). A map that does not depend on the parameters would be robust and useless, "
        "so each method is tested on randomized parameters. On images of 32 pixels, a tenth of the top pixels agree by chance; the paper's "
        "values are for larger photographs. The myth is decided by what an attack changes beyond a random walk of as many steps, for each "
        "of the paper's methods: on ImageNet photographs under SqueezeNet if both are available, as in the paper, and else on CIFAR-10. "
        "The order of the methods does not decide. The protocol is reduced: 64 of 250 photographs of 224 pixels are attacked, all of which "
        "SqueezeNet classifies correctly; the paper attacks 512 photographs of 227 pixels. Intervals for photographs are over images, "
        "because the network is given; those of S1 and S2 for networks of this suite are over training runs. An attack that finds nothing "
        "on an image leaves the whole map, so images that are untouched are counted apart from what is left of the others. The paper says "
        "that the center shift is the change that people notice; testing this requires human subjects. On a CPU, integrated gradients have "
        "10 steps in the attack and 20 in the map, where the paper has 100. The attack leaves 1 % of the top 1,000 pixels, the paper's 18 "
        "%; whether the steps are the reason was not measured. A random walk changes much of a map as well: on photographs under "
        "SqueezeNet, it leaves about a quarter of the most salient pixels, and an attack less than a tenth. The label stays, but not "
        "always the confidence: on photographs, an attack lowers it by 10 to 19 points on average (claims S1-gradient-confidence, "
        "S1-ig-confidence and S1-deeplift-confidence), where the paper speaks of a small change (cpu-laptop, table attacks).\n\n"
        "Robust means robust to attacks. Everyday changes that keep the label leave on average 33 % of the top 1,000 pixels of the simple "
        "gradient: 19 % after a shift, 13 % after a rotation, 37 % after JPEG compression, 60 % after a change of brightness (cpu-laptop, "
        "table everyday_changes). If pixels may move by one (LENS), they leave 59 %, more than the limit of T7-benign. Of Grad-CAM, they "
        "leave 78 % (table everyday_differences). On CIFAR-10, an attack on Grad-CAM leaves 1 % (table attacks)."
    ),
    papers=(
        Paper(
            "A. Ghorbani, A. Abid, J. Zou",
            2019,
            "Interpretation of Neural Networks is Fragile",
            "AAAI 2019, 33:3681-3688, arXiv 1710.10547",
            "https://arxiv.org/abs/1710.10547",
        ),
        Paper(
            "J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim",
            2018,
            "Sanity Checks for Saliency Maps",
            "NeurIPS 2018, arXiv 1810.03292",
            "https://arxiv.org/abs/1810.03292",
        ),
        Paper(
            "A.-K. Dombrowski, M. Alber, C. J. Anders, M. Ackermann, K.-R. Müller, P. Kessel",
            2019,
            "Explanations can be manipulated and geometry is to blame",
            "NeurIPS 2019, arXiv 1906.07983",
            "https://arxiv.org/abs/1906.07983",
        ),
        Paper(
            "S. Kamath, S. Mittal, A. Deshpande, V. N. Balasubramanian",
            2024,
            "Rethinking Robustness of Model Attributions",
            "AAAI 2024, arXiv 2312.10534",
            "https://arxiv.org/abs/2312.10534",
        ),
        ARTICLE,
    ),
    trial_types=(
        TrainNetwork,
        EvaluatePretrained,
        AttackImages,
        ChangeImages,
        RandomizeParameters,
        MeasureCurvature,
        MeasureInfluence,
        AttackUserImages,
    ),
    trials=trials,
    tables={
        "networks": tables.networks,
        "attacks": tables.attacks,
        "differences": tables.differences,
        "everyday_changes": tables.everyday_changes,
        "everyday_differences": tables.everyday_differences,
        "completeness_error": tables.completeness_error,
        "parameter_randomization": tables.parameter_randomization,
        "curvature": tables.curvature,
        "curvature_drop": tables.curvature_drop,
        "gradient_change": tables.gradient_change,
        "influence": tables.influence,
        "metric_agreement": tables.metric_agreement,
        "user_images": tables.user_images,
    },
    claims=CLAIMS,
    figures={
        "imagenet_sample": figures.imagenet_sample,
        "intersection": figures.intersection,
        "rank_correlation": figures.rank_correlation,
        "center_shift": figures.center_shift,
        "defenses": figures.defenses,
        "gradient_change": figures.gradient_change,
        "parameter_randomization": figures.parameter_randomization,
    },
    pictures={
        "example_images": pictures.example_images,
        "imagenet_examples": pictures.imagenet_examples,
        "user_images": pictures.user_images,
    },
    better={
        "test_accuracy_percent": "higher",
        "intersection": "higher",
        "lens_recall": "higher",
        "spearman": "higher",
        "center_shift_px": "lower",
        "error_percent": "lower",
    },
    conditions=(
        "network",
        "network_seed",
        "defense",
        "attack",
        "epsilon",
        "k",
        "images",
        "beta",
        "direction",
        "n_randomized",
        "image_size",
        "change",
    ),
    verdict_texts={
        "refuted": "Perturbations of at most 8/255 keep the prediction and change saliency maps more than a random walk of the same size "
        "does.",
        "standing": "Attacks change saliency maps no more than a random walk does.",
    },
)

if TYPE_CHECKING:
    from myths.saliency.notebook import Attacked, Explained, attack, explain, normalized

__all__ = ["MYTH", "Attacked", "Explained", "attack", "explain", "normalized"]


def __getattr__(name: str) -> Any:
    """Import the functions for notebooks on first use, so that listing the myths does not import torch."""
    if name in __all__:
        from myths.saliency import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
