"""Are saliency maps a robust way to interpret networks? Fragile interpretations (Ghorbani, Abid & Zou 2019).

A change of an image too small to see leaves the prediction and ruins the map that explains it; noise alone moves the map. In parts:

1. attributions by seven methods (``attributions``), and the maps made of them (``maps``);
2. perturbations that keep the label (``attacks``), differentiated through a softplus surrogate (``surrogate``), and what they leave of a
   map (``metrics``, ``comparison``);
3. the cause (``curvature``), whether a map depends on the network at all (``randomized``), influence functions (``influenced``);
4. networks trained here, plainly and robustly, or brought by the user (``networks``), and the user's own pictures (``own``).

From Python, ``explain`` and ``attack`` take any ``torch.nn.Module`` and an image; ``normalized`` wraps one of normalized pixels.
"""

from typing import TYPE_CHECKING, Any

from myths.lab.myth import ARTICLE, Myth, Paper
from myths.saliency import figures, pictures, tables
from myths.saliency.claims import CLAIMS
from myths.saliency.profiles import trials
from myths.saliency.trials import (
    AttackImages,
    AttackUserImages,
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
        "A change of at most 8 of 255 gray levels, which keeps the predicted label, leaves 0.5 % of the thousand most salient pixels of "
        "an ImageNet photograph where they were (simple gradient), 1 % with DeepLIFT and 18 % with integrated gradients. Noise of that "
        "size alone leaves less than 30 %."
    ),
    discussion=(
        "The authors themselves say that this does not show the methods broken: the network is fragile, and a faithful map of it is as "
        "well. Their random baseline is not one draw of noise but a walk of 300 steps of which the worst counts; both are here, apart, "
        "the walk in fewer and longer steps. Their notebooks print the size of the perturbation as the confidence after it. Integrated "
        "gradients explain a probability in their code and the other methods a logit, so that their order is tested both ways. Counting "
        "top pixels punishes a map that shifts by one pixel: LENS (Kamath et al. 2024) does not, and finds less fragility, but also finds "
        "different images' maps more alike, so that both are set beside another image's map here. Smooth and adversarially trained "
        "networks resist, at a price in accuracy. A map that hardly depends on the parameters would be robust for nothing, so each method "
        "is tried on random ones. On 32 pixels a tenth of the top pixels agree by chance; the paper's levels are for photographs: where "
        "the 250 of ImageNet are at hand they decide, under SqueezeNet, the paper's kind of network, on a CPU with 64 of 224 pixels for "
        "the paper's 512 of 227. Which measure of damage people would notice (the paper says: the shift of the center) takes people. On a "
        "CPU one trajectory at 8/255 serves all budgets and the attack sees integrated gradients in 10 steps: a weaker attack than the "
        "paper's, so that what resists it there may owe something to this."
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
    trial_types=(TrainNetwork, EvaluatePretrained, AttackImages, RandomizeParameters, MeasureCurvature, MeasureInfluence, AttackUserImages),
    trials=trials,
    tables={
        "networks": tables.networks,
        "attacks": tables.attacks,
        "differences": tables.differences,
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
    conditions=("network", "network_seed", "defense", "attack", "epsilon", "k", "images", "beta", "direction", "n_randomized"),
    verdict_texts={
        "refuted": "Changes too small to see, which keep the prediction, ruin saliency maps, those of integrated gradients the least.",
        "still standing": "Attacks on saliency maps do no more than noise does, and no method resists them better than another.",
        "open": "Not all that decides was reproduced, or it is undecided: see what attacks leave (S1) and the order of methods (S3).",
        "aged": "Saliency maps are fragile as reported; since then smoother networks, or a kinder measure, have made less of it.",
    },
)

if TYPE_CHECKING:
    from myths.saliency.notebook import Attacked, Explained, attack, explain, normalized

__all__ = ["MYTH", "Attacked", "Explained", "attack", "explain", "normalized"]


def __getattr__(name: str) -> Any:
    """Import what notebooks use when it is asked for: listing the myths waits for no torch."""
    if name in __all__:
        from myths.saliency import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
