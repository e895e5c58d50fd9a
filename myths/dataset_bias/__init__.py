"""Myth 2: image datasets represent the real world. A classifier recognizes each dataset (Torralba & Efros 2011; Liu & He 2024).

Torralba and Efros trained a linear classifier to predict which of twelve datasets an image is from. Its accuracy was 39 % (chance: 8 %).
Classifiers of cars and people lost a third to half of their average precision on other datasets, and an image of another dataset was worth
a fraction of a native one. In 2024, with modern networks and much larger datasets, the accuracy was 84.7 % for three datasets. This package
re-runs:

1. dataset classification, with five kinds of features and with a network (``features``, ``trials.dataset_classification``,
   ``trials.network_classifier``);
2. controls that the original lacks: random parts of one dataset, a common format, corruptions, near-duplicates, and a linear probe of the
   network for objects (``transforms``, ``duplicates``);
3. training on one dataset and testing on another, negatives of other datasets, and the market value of an image
   (``trials.cross_dataset``, ``average_precision``, ``domain_gap``, ``market_value``);
4. the mechanism without any dataset: the same photographs taken by different simulated cameras (``simulated_cameras``);
5. the published tables of 2011, recomputed from their cells (``published``).

It also compares your own datasets: ``myths data add mine PATH``, ``myths run dataset-bias --data mine,theirs``.
"""

from myths.dataset_bias import figures, profiles, tables
from myths.dataset_bias.claims import CLAIMS
from myths.dataset_bias.pictures import PICTURES
from myths.dataset_bias.trials import (
    ClassifyRandomParts,
    CountDuplicates,
    CrossDatasetEvaluation,
    CrossDatasetNegatives,
    LinearProbe,
    NameThatDataset,
    RecomputePublishedTables,
    TrainDatasetClassifier,
)
from myths.dataset_bias.user_summary import summarize_user_data
from myths.lab.myth import ARTICLE, Myth, Paper

MYTH = Myth(
    name="dataset-bias",
    number=2,
    belief="Image datasets are representative of real images found in the wild.",
    rebuttal=(
        "Every dataset is recognizable. A linear classifier predicts the dataset of an image with an accuracy far above chance, and a "
        "classifier trained on one dataset loses much of its average precision on another dataset with the same classes."
    ),
    discussion=(
        "That datasets can be distinguished does not imply that a model trained on one is useless, and it does not show which differences "
        "matter. Some datasets differ in their objects by design, others in framing, image size or compression. The common format removes "
        "color, frame and compression, and near-duplicates are removed. Earlier processing by the source, such as enlarging a small image, "
        "remains. A percentage drop across datasets mixes bias with the difficulty of the test set; the in-domain advantage of an additive "
        "model does not. An image of another style is worth less for training, but rarely nothing.\n\n"
        "The suite uses the datasets that are available. Seven of the ten independent ones are, in whole or in part, among the twelve of "
        "the paper. LabelMe, SUN09, MSRC, Corel and Tiny Images are not available. All images have 64 x 64 pixels, with up to 700 training "
        "images per dataset. Effects are therefore tested, and absolute values are not. The published drop of 48 % for car detection is "
        "38 % by the cells of the table (X2). One LabelMe car is worth 0.26 PASCAL cars; some later texts state the reverse. That humans "
        "recognize most datasets (over 75 % in the authors' labs) is cited, not tested. In 2024, researchers classified 45 % of the images "
        "of three web-scale datasets correctly.\n\n"
        "Two limits of the data: the photographs of one object by DSLR and webcam (Office-31) are in the training and in the test part of "
        "their dataset, and Amazon has near-duplicates, so that the in-domain precision of claim D6-office-caltech-home is somewhat too "
        "high. Up to 70 % of the art paintings on which the probe of claim Y2 is tested were among the training images of the network "
        "that it probes, with the name of their dataset as the label.\n\n"
        "The intervals of D1, D6-*-sets and D8 are over datasets or pairs of datasets; all others are over splits of the same images and "
        "say nothing about other datasets. Of the five choices of four collections of photographs, HOG classifies 45 to 57 % of the "
        "images correctly (cpu-laptop, table leave_one_out). Features of an ImageNet network raise the average precision on "
        "Office-Caltech from 74 to 94 % in-domain and from 36 to 78 % across datasets. In percentage points this more than halves the "
        "in-domain advantage, but a precision near 100 % limits it: in log odds, the advantage is as large as with HOG (T2-features)."
    ),
    papers=(
        Paper(
            "A. Torralba, A. A. Efros",
            2011,
            "Unbiased Look at Dataset Bias",
            "CVPR 2011, 1521–1528",
            "https://doi.org/10.1109/CVPR.2011.5995347",
        ),
        Paper(
            "Z. Liu, K. He",
            2024,
            "A Decade's Battle on Dataset Bias: Are We There Yet?",
            "arXiv 2403.08632",
            "https://arxiv.org/abs/2403.08632",
        ),
        ARTICLE,
    ),
    trial_types=(
        RecomputePublishedTables,
        NameThatDataset,
        ClassifyRandomParts,
        CountDuplicates,
        CrossDatasetEvaluation,
        CrossDatasetNegatives,
        TrainDatasetClassifier,
        LinearProbe,
    ),
    trials=profiles.trials,
    tables={
        "accuracy": tables.accuracy,
        "dataset_classification": tables.dataset_classification,
        "leave_one_out": tables.leave_one_out,
        "confusion": tables.confusion,
        "related_sets": tables.related_sets,
        "null_control": tables.null_control,
        "preprocessing_effect": tables.preprocessing_effect,
        "near_duplicates": tables.near_duplicates,
        "network": tables.network,
        "linear_probe": tables.linear_probe,
        "cross_dataset": tables.cross_dataset,
        "cross_dataset_drop": tables.cross_dataset_drop,
        "permuted_sets": tables.permuted_sets,
        "in_domain_test": tables.in_domain_test,
        "relative_value_share": tables.relative_value_share,
        "market_value": tables.market_value,
        "negatives": tables.negatives,
        "published_margins": tables.published_margins,
        "published_cross_dataset": tables.published_cross_dataset,
        "published_market_value": tables.published_market_value,
    },
    claims=CLAIMS,
    figures={
        "accuracy": figures.accuracy,
        "preprocessing_effect": figures.preprocessing_effect,
        "confusion": figures.confusion,
        "cross_dataset": figures.cross_dataset,
        "market_value": figures.market_value,
    },
    pictures=PICTURES,
    summarize_user_data=summarize_user_data,
    better={"accuracy_percent": "higher", "ap_percent": "higher", "ap_own_negatives_percent": "higher"},
    conditions=("set_group", "set", "task", "transform", "deduplicated", "n_per_set", "parts", "image_size", "epochs"),
    verdict_texts={
        "refuted": "Datasets are classified far above chance, and classifiers lose much of their precision on other datasets.",
        "standing": "Datasets are hardly distinguishable, and classifiers keep their precision on other datasets.",
    },
)
