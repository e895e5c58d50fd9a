"""Do researchers use the test set for validation? CIFAR-10 with a new test set (Recht et al. 2018, 2019).

Recht, Roelofs, Schmidt and Shankar collected 2,000 new images in the same way as CIFAR-10 and evaluated 30 published models on them. All
models lose 4 to 15 points of accuracy; their ranking is nearly unchanged. The suite repeats three experiments:

1. the published models: accuracies, gaps, linear fits, ranks and rank reversals, from the authors' predictions (``published``,
   ``linear_fit``, ``rank_comparison``);
2. new models, from nearest neighbor to a wide residual network, trained on CIFAR-10 and evaluated on every available new test set
   (``trials.new_models``, ``classical``);
3. adaptive overfitting: how much does selection on a test set inflate the accuracy on it? (``trials.reuse``, ``adaptive_overfitting``).
"""

from myths.cifar10_1 import figures, tables
from myths.cifar10_1.claims import CLAIMS
from myths.cifar10_1.profiles import trials
from myths.cifar10_1.trials import (
    CompareModelRanks,
    CompareUserModel,
    EvaluateModel,
    ExcludeTestImages,
    FitCandidates,
    FitClassical,
    PredictClasses,
    PublishedAccuracy,
    PublishedHardImages,
    PublishedMeanDrop,
    PublishedRanks,
    ReuseTestSet,
    SelectPublishedModel,
)
from myths.cifar10_1.user_summary import summarize_user_data
from myths.lab.myth import ARTICLE, Myth, Paper
from myths.lab.vision.classifier import TrainClassifier

MYTH = Myth(
    name="cifar10-1",
    number=3,
    belief="Machine-learning researchers do not use the test set for validation.",
    rebuttal=(
        "It is commonly assumed that published models were selected on the test set of CIFAR-10. On new images that were collected in the "
        "same way, each of 30 models loses 4 to 15 points of accuracy. The ranking of the models is nearly unchanged."
    ),
    discussion=(
        "The belief itself is cited, not measured: that published models were selected on the test set is taken from common practice. The "
        "verdict grades its consequence: the accuracy drop is real, and such a selection explains little of it. If models had overfitted "
        "to the test set, accuracy would drop on new images. Every model shows such a drop, but the authors attribute it to distribution "
        "shift, not to adaptive overfitting. No pair of models is significantly reversed on the first new test set; with 2,000 images "
        "this is no proof that the ranking is unchanged. The best models have the smallest drop in percentage points, but a slightly "
        "larger error ratio and a slightly larger drop on the probit scale. A slope slightly below 1 on the probit scale suggests that "
        "the slope above 1 on the accuracy scale is mostly a ceiling effect. The slope alone therefore cannot separate distribution shift "
        "from adaptive overfitting. Claim T3-best-of-30 selects among the 30 models themselves. Claim G9 selects among 1,000 weak models, "
        "which exaggerates: weak models vary more between test sets, and half of a test set is smaller than the whole. Relative to the "
        "smallest drop of the 30 models the percentage is about twice as large (G9-smallest). Intervals of fits and rank correlations are "
        "over families of models, since models of one family are not independent. The 2018 abstract reports a drop of 4 to 10 points for "
        "the 24 modern networks; all 30 released models lose 4.1 to 15.4 points, and the 2019 abstract reports 3 to 15."
    ),
    papers=(
        Paper(
            "B. Recht, R. Roelofs, L. Schmidt, V. Shankar",
            2018,
            "Do CIFAR-10 Classifiers Generalize to CIFAR-10?",
            "arXiv 1806.00451",
            "https://arxiv.org/abs/1806.00451",
        ),
        Paper(
            "B. Recht, R. Roelofs, L. Schmidt, V. Shankar",
            2019,
            "Do ImageNet Classifiers Generalize to ImageNet?",
            "ICML 2019, arXiv 1902.10811",
            "https://arxiv.org/abs/1902.10811",
        ),
        Paper(
            "J. Miller, R. Taori, A. Raghunathan, S. Sagawa, P. W. Koh, V. Shankar, P. Liang, Y. Carmon, L. Schmidt",
            2021,
            "Accuracy on the Line: On the Strong Correlation Between Out-of-Distribution and In-Distribution Generalization",
            "ICML 2021, arXiv 2107.04649",
            "https://arxiv.org/abs/2107.04649",
        ),
        ARTICLE,
    ),
    trial_types=(
        PublishedAccuracy,
        PublishedRanks,
        PublishedHardImages,
        PublishedMeanDrop,
        ExcludeTestImages,
        SelectPublishedModel,
        TrainClassifier,
        FitClassical,
        EvaluateModel,
        CompareModelRanks,
        FitCandidates,
        ReuseTestSet,
        CompareUserModel,
        PredictClasses,
    ),
    trials=trials,
    tables={
        "accuracies": tables.accuracies,
        "recomputed": tables.recomputed,
        "fits": tables.fits,
        "ranks": tables.ranks,
        "rank_reversals": tables.rank_reversals,
        "hard_images": tables.hard_images,
        "mean_drops": tables.mean_drops,
        "drop_explanations": tables.drop_explanations,
        "trained_networks": tables.trained_networks,
        "new_models": tables.new_models,
        "new_model_fits": tables.new_model_fits,
        "new_model_ranks": tables.new_model_ranks,
        "reuse": tables.reuse,
        "reuse_share": tables.reuse_share,
        "user_models": tables.user_models,
        "user_model_comparisons": tables.user_model_comparisons,
        "normalizations": tables.normalizations,
    },
    claims=CLAIMS,
    figures={
        "new_against_original": figures.new_against_original,
        "gaps": figures.gaps,
        "ranks": figures.ranks,
        "reuse": figures.reuse,
        "new_models": figures.new_models,
        "user_models": figures.user_models,
    },
    summarize_user_data=summarize_user_data,
    better={"accuracy_percent": "higher", "original_percent": "higher", "new_percent": "higher", "gap_pp": "lower", "error_ratio": "lower"},
    conditions=("correct_by", "n_classes", "model_seed"),
    verdict_texts={
        "refuted": "The accuracy drop on new images is real, and selection among the published models on the test set explains less than "
        "10 % of it. That researchers select on the test set is cited, not measured.",
        "standing": "No significant accuracy drop on new images, and selection among the published models could explain 10 % or more of a "
        "drop.",
    },
)
