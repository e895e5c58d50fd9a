"""Is every data point used in training? Example forgetting (Toneva et al. 2019).

An example is forgotten if a network in training classifies it correctly at one epoch and incorrectly at the next. Many examples are never
forgotten, and pruning them from the training set hardly changes the test accuracy. The suite repeats four experiments:

1. count forgetting events during training, find the examples that five runs never forget, and correlate the counts of different seeds,
   schedules and networks (``counter``, ``trials.counting``, ``correlations``);
2. train on sets pruned by forgetting, at random, or by scores from early training (``trials.pruning``, ``pruning_order``, ``scores``);
3. count under label noise and pixel noise (``noise``);
4. apply the counts to a dataset of the user: which examples can be pruned, and which labels are likely wrong (``trials.user_examples``,
   ``trials.label_errors``, ``confident_learning``, ``balanced_pruning``).
"""

from myths.forgetting import figures, pictures, tables
from myths.forgetting.claims import CLAIMS
from myths.forgetting.profiles import trials
from myths.forgetting.trials import (
    CompareCounts,
    CorrelateCounts,
    CountForgetting,
    CountUnforgettable,
    FindLabelErrors,
    PredictHeldOut,
    PruneNothing,
    RankUserExamples,
    ScoreExamples,
    TrainPruned,
)
from myths.forgetting.user_summary import summarize_user_data
from myths.lab.myth import ARTICLE, Myth, Paper

MYTH = Myth(
    name="forgetting",
    number=4,
    belief="Every data point is used in training a neural network.",
    rebuttal=(
        "Most examples of MNIST (91.7 %) and a third of CIFAR-10 (31.3 %) are never forgotten once they are learned. A network trained "
        "without the least-forgotten 30 % of CIFAR-10 is as accurate as with them; without a random 30 % it loses nearly a point."
    ),
    discussion=(
        "Finding the examples that can be pruned requires five training runs on the full set. Scores from a few epochs (EL2N) cost less; "
        "scores at initialization (GraND) were not reproduced (Kirsch 2023). The percentage of unforgettable examples is not a property of "
        "a dataset alone: it depends on the schedule and on the number of runs that are intersected. Short schedules are therefore not "
        "compared with the paper's percentages. The article calls an example unforgettable if it has no forgetting event. The paper also "
        "requires that it is learned at some point, and its code counts a forgetting event at every presentation of an example that is "
        "never learned. Events are observed once per epoch, on augmented images in training mode, and are therefore a lower bound. The "
        "paper's text and figures disagree on the unforgettable percentage of CIFAR-10 (31.3 % and 34.4 %). The paper trains for the same "
        "number of epochs on pruned sets. Short schedules of this suite keep the number of updates instead, so that a loss is due to the "
        "missing examples and not to shorter training. Each remaining example is then seen more often. Before a network has converged, "
        "this may outweigh the missing examples: in the short schedule of cpu-overnight, networks trained on the pruned 70 % of CIFAR-10 "
        "are slightly more accurate (F3-ordered-30 is below 0). Shuffled counts prune at random, too. In cpu-overnight, they cost 0.07 "
        "points [−0.21, 0.36] less than the random 30 %, which eight seeds leave undecided (F0-shuffled-30), so that F3-vs-random-30 is "
        "inconclusive. The least-forgotten 30 % cost 0.84 points [0.61, 1.07] less than the random 30 %, and 0.77 points [0.49, 1.05] less "
        "than shuffled counts (table pruning). Claim F8 adds the pixel noise of the paper's Fig. 11 as the authors' code does, with mean "
        "120 for every standard deviation. Forgetting increases with this noise (on an H200 from 0.72 to 1.7 events) but hardly with its "
        "standard deviation, and clean test images are classified at chance. Redundancy increases with the size of a dataset: for small "
        "datasets, the easy examples may be the ones to keep, which the claims T4-scarce test. On 5,000 images of CIFAR-10 they are not: "
        "pruning the least-forgotten 30 % costs 1.3 points less than a random 30 % (cpu-overnight, T4-scarce-cifar10)."
    ),
    papers=(
        Paper(
            "M. Toneva, A. Sordoni, R. Tachet des Combes, A. Trischler, Y. Bengio, G. J. Gordon",
            2019,
            "An Empirical Study of Example Forgetting during Deep Neural Network Learning",
            "ICLR 2019, arXiv 1812.05159",
            "https://arxiv.org/abs/1812.05159",
        ),
        Paper(
            "M. Paul, S. Ganguli, G. K. Dziugaite",
            2021,
            "Deep Learning on a Data Diet: Finding Important Examples Early in Training",
            "NeurIPS 2021, arXiv 2107.07075",
            "https://arxiv.org/abs/2107.07075",
        ),
        Paper(
            "A. Kirsch",
            2023,
            "Does 'Deep Learning on a Data Diet' reproduce? Overall yes, but GraNd at Initialization does not",
            "arXiv 2303.14753",
            "https://arxiv.org/abs/2303.14753",
        ),
        Paper(
            "C. G. Northcutt, L. Jiang, I. L. Chuang",
            2021,
            "Confident Learning: Estimating Uncertainty in Dataset Labels",
            "JAIR 70, arXiv 1911.00068",
            "https://arxiv.org/abs/1911.00068",
        ),
        ARTICLE,
    ),
    trial_types=(
        CountForgetting,
        CountUnforgettable,
        CorrelateCounts,
        CompareCounts,
        ScoreExamples,
        TrainPruned,
        PruneNothing,
        RankUserExamples,
        PredictHeldOut,
        FindLabelErrors,
    ),
    trials=trials,
    tables={
        "counts": tables.counts,
        "histogram": tables.histogram,
        "unforgettable": tables.unforgettable,
        "extreme_examples": tables.extreme_examples,
        "count_correlations": tables.count_correlations,
        "joint_counts": tables.joint_counts,
        "count_comparisons": tables.count_comparisons,
        "early_scores": tables.early_scores,
        "pruning": tables.pruning,
        "pruning_curve": tables.pruning_curve,
        "prune_nothing": tables.prune_nothing,
        "user_examples": tables.user_examples,
        "label_errors": tables.label_errors,
        "held_out": tables.held_out,
        "pruning_list": tables.pruning_list,
        "pruning_list_balanced": tables.pruning_list_balanced,
    },
    claims=CLAIMS,
    figures={
        "histograms": figures.histograms,
        "joint_counts": figures.joint_counts,
        "pruning": figures.pruning,
        "sliding_window": figures.sliding_window,
    },
    pictures={
        "likely_mislabeled": pictures.likely_mislabeled,
        "least_and_most_forgotten": pictures.least_and_most_forgotten,
    },
    summarize_user_data=summarize_user_data,
    better={"test_accuracy_percent": "higher", "loss_pp": "lower"},
    conditions=(
        "permute_pixels",
        "network",
        "epochs",
        "train_examples",
        "pruned_percent",
        "skipped_percent",
        "label_noise",
        "pixel_noise",
        "transfer",
    ),
    verdict_texts={
        "refuted": "Pruning the least-forgotten 30 % of CIFAR-10 costs almost no accuracy, and less than pruning a random 30 %.",
        "standing": "Pruning the least-forgotten 30 % of CIFAR-10 costs accuracy, and no less than pruning a random 30 %.",
    },
)
