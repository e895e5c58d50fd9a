"""Is every data point used in training? Example forgetting (Toneva et al. 2019).

An example is forgotten when a network in training gets it right and, an epoch later, wrong. Many examples never are, and leaving
those out of the training set hardly matters. The evidence in four parts:

1. count forgetting events while a network trains (``counting``, ``trials``), the unforgettable over five seeds, stability over seeds
   and schedules (``agreement``);
2. train on what is left when a share is removed, by forgetting, at random, by early scores (``removal``, ``scores``, ``train_kept``);
3. wrong labels and noisy pixels (``noise``);
4. the same counts for a data set of one's own, with a list of what may be dropped and what may be mislabeled (``own``, ``held_out``).
"""

from myths.forgetting import figures, pictures, tables
from myths.forgetting.claims import CLAIMS
from myths.forgetting.held_out import FindLabelErrors, PredictHeldOut
from myths.forgetting.in_words import summarize_user_data
from myths.forgetting.own import ListExamples
from myths.forgetting.profiles import trials
from myths.forgetting.train_kept import RemoveNothing, ScoreExamples, TrainKept
from myths.forgetting.trials import CompareCounts, CountForgetting, Stability, Unforgettable
from myths.lab.myth import ARTICLE, Myth, Paper

MYTH = Myth(
    name="forgetting",
    number=4,
    belief="Every data point is used in training a neural network.",
    rebuttal=(
        "Most examples of MNIST (91.7 %) and a third of CIFAR-10 (31.3 %) are never forgotten once they are learnt. Trained without the "
        "30 % of CIFAR-10 that are forgotten least, a network is as good as with them; without a random 30 % it loses nearly a point."
    ),
    discussion=(
        "Which examples can go is known only after training on all of them, five times over; scores from a few epochs (EL2N) do it for "
        "less, scores at initialization (GraND) do not hold up (Kirsch 2023). The share of unforgettable examples is not a property of "
        "a data set alone: it depends on the schedule and on how many trainings are intersected, so short schedules are not held "
        "against the paper's shares here. The article calls an example unforgettable that undergoes no forgetting event; the paper also "
        "asks that it be learnt at some point, and its code counts the never learnt as forgotten at every presentation. Events are seen "
        "once an epoch, on augmented images, in training mode: a lower bound. The paper's text and its figures differ on how much of "
        "CIFAR-10 is unforgettable (31.3 % and 34.4 %). The paper trains as many epochs on what is left as on everything; short "
        "trainings here make as many updates instead, lest shorter training pass for missing data. The pixel noise of the paper's Fig. 11 "
        "(F8) is added here as its code adds it, with mean 120 whatever the deviation: forgetting rises with that noise (on an H200 from "
        "0.72 to 1.7 events), hardly with its deviation, and clean test images are answered by chance. And redundancy "
        "grows with the data set: where data are scarce, the easy examples may be those to keep."
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
        Unforgettable,
        Stability,
        CompareCounts,
        ScoreExamples,
        TrainKept,
        RemoveNothing,
        ListExamples,
        PredictHeldOut,
        FindLabelErrors,
    ),
    trials=trials,
    tables={
        "counts": tables.counts,
        "histogram": tables.histogram,
        "unforgettable": tables.unforgettable,
        "extremes": tables.extremes,
        "stability": tables.stability,
        "joint_counts": tables.joint_counts,
        "agreements": tables.agreements,
        "scored": tables.scored,
        "removal": tables.removal,
        "removal_curve": tables.removal_curve,
        "nothing_removed": tables.nothing_removed,
        "forgetting": tables.forgetting,
        "label_errors": tables.label_errors,
        "held_out": tables.held_out,
        "removal_list": tables.removal_list,
        "removal_list_balanced": tables.removal_list_balanced,
    },
    claims=CLAIMS,
    figures={
        "histograms": figures.histograms,
        "two_trainings": figures.two_trainings,
        "removal": figures.removal,
        "windows": figures.windows,
    },
    pictures={
        "likely_mislabeled": pictures.likely_mislabeled,
        "least_and_most_forgotten": pictures.least_and_most_forgotten,
    },
    summarize_user_data=summarize_user_data,
    better={"test_accuracy_percent": "higher", "loss_pp": "lower"},
    conditions=(
        "permuted",
        "network",
        "epochs",
        "train_examples",
        "removed_percent",
        "skipped_percent",
        "label_noise",
        "pixel_noise",
        "transfer",
    ),
    verdict_texts={
        "refuted": "Nearly a third of CIFAR-10 can stay out of training at next to no loss, chosen by forgetting; not chosen at random.",
        "still standing": "Leaving out the least-forgotten 30 % of CIFAR-10 costs accuracy, and no less than leaving out a random 30 %.",
        "open": "Not all that decides was measured here, or it is undecided: see removal by forgetting (F3) from all of CIFAR-10.",
        "aged": "A third of CIFAR-10 can stay out of training; since then something changed: see the claims of today.",
    },
)
