"""What does a network learn first? The order of learning (Saxe, McClelland & Ganguli 2019; Hacohen, Choshen & Weinshall 2020).

The dynamics of a deep linear network have an exact solution: from a small start, it learns the modes of the correlation between inputs and
outputs one after the other, strongest first. Image classifiers with different initial weights learn the same images early. The suite
repeats three groups of experiments:

1. train deep linear networks from balanced, small and large random starts, all in one tensor, beside the theory (``deep_linear``,
   ``trials.linear``); items of a tree (``hierarchy``, ``trials.trees``); a category hidden in noise (``coherence``, ``trials.categories``);
2. follow when networks classify superclasses, classes and single images of CIFAR-100 correctly, and correlate the orders of two networks
   (``image_order``, ``trials.images``), also with shuffled labels, with noise images, and after most images of one superclass have been
   removed (``trials.thinning``);
3. find the modes of a user's table, and when a network would learn each (``item_modes``, ``trials.items``).
"""

from myths.lab.myth import Myth, Paper
from myths.order import figures, tables
from myths.order.claims import CLAIMS
from myths.order.profiles import trials
from myths.order.trials import CompareOrders, DrawTrees, FindCategory, FindItemModes, LearnModes, LearnTree, ThinSuperclass, TrackImages
from myths.order.user_summary import summarize_user_data

MYTH = Myth(
    name="order",
    number=9,
    belief="What a network learns first is an accident of initialization and of the order of the data.",
    rebuttal=(
        "A deep linear network with small initial weights learns the modes of its data in the order of their singular values, at times "
        "that a formula predicts (Saxe et al. 2019): broad distinctions before fine ones, for every small start. Image classifiers learn "
        "the images of a dataset in a similar order, most similar for networks of one architecture (Hacohen et al. 2020)."
    ),
    discussion=(
        "A mode is a pair of singular vectors of the correlation between inputs and outputs: a contrast between items, such as animals "
        "against plants, with the properties in which they differ. Its strength is its singular value s. While a mode is being learned, "
        "the network generalizes it too far: a property that most of a branch has is first assigned to items that lack it.\n\n"
        "The theory needs small initial weights. From a large start, the order is lost: modes start at random strengths, and all approach "
        "their final values at the same time. A network without hidden layer has no order either; depth creates it. By the theory, "
        "the order is one of the data: distinctions between siblings that are made stronger than broad ones should be learned first (claim "
        "O5), and a superclass that loses most of its images late (claim O5-images; with the 50 images that are left, the networks of the "
        'profile "laptop" do not learn it at all, which says nothing about when). Such an order is a property of the dataset, not of '
        "nature: it depends on how frequent things are, but not on the sequence in which they are presented.\n\n"
        "Any grouping of classes has a higher accuracy than the classes, by chance alone. Superclasses are therefore compared with random "
        "groupings of the same sizes. The order of the images depends on how fast a network learns: networks of different architectures "
        "are compared at equal accuracy. Sources disagree about shuffled labels: Hacohen et al. report synthetic datasets on which the "
        "common order vanishes; Pliushch et al. (2022) report an agreement that is independent of labels and follows image statistics. "
        "Claim O4 tests this on training images. The control O4-null uses noise images with a different permutation of the labels for each "
        "network: nothing is left on which two networks could agree.\n\n"
        "A category is found by the first mode only above a threshold of its coherence C. A single property that few objects share stays "
        "below the threshold: forty blue things among 400, in a table of 1,600 properties, have C = 0.36, and 113 would be needed (90 % of "
        "the things are blue, and 10 % of all others; claim Q5-blue). Later work explains the same order by spectral bias (low frequencies "
        "first) and saddle-to-saddle dynamics. Grokking is a counterexample: general rules are learned late."
    ),
    papers=(
        Paper(
            "A. M. Saxe, J. L. McClelland, S. Ganguli",
            2019,
            "A mathematical theory of semantic development in deep neural networks",
            "PNAS 116(23), arXiv 1810.10531",
            "https://arxiv.org/abs/1810.10531",
        ),
        Paper(
            "G. Hacohen, L. Choshen, D. Weinshall",
            2020,
            "Let's Agree to Agree: Neural Networks Share Classification Order on Real Datasets",
            "ICML 2020, arXiv 1905.10854",
            "https://arxiv.org/abs/1905.10854",
        ),
        Paper(
            "I. Pliushch, M. Mundt, N. Lupp, V. Ramesh",
            2022,
            "When Deep Classifiers Agree: Analyzing Correlations between Learning Order and Image Statistics",
            "arXiv 2105.08997",
            "https://arxiv.org/abs/2105.08997",
        ),
    ),
    trial_types=(LearnModes, DrawTrees, LearnTree, FindCategory, FindItemModes, TrackImages, ThinSuperclass, CompareOrders),
    trials=trials,
    tables={
        "linear_starts": tables.linear_starts,
        "linear_modes": tables.linear_modes,
        "linear_courses": tables.linear_courses,
        "plateaus": tables.plateaus,
        "tree_levels": tables.tree_levels,
        "tree_draws": tables.tree_draws,
        "tree_times": tables.tree_times,
        "tree_courses": tables.tree_courses,
        "tree_illusions": tables.tree_illusions,
        "category_draws": tables.category_draws,
        "categories": tables.categories,
        "item_modes": tables.item_modes,
        "item_categories": tables.item_categories,
        "training_runs": tables.training_runs,
        "checkpoints": tables.checkpoints,
        "superclasses": tables.superclasses,
        "thinned_superclasses": tables.thinned_superclasses,
        "superclass_scores": tables.superclass_scores,
        "orders": tables.orders,
        "joint_scores": tables.joint_scores,
    },
    claims=CLAIMS,
    figures={
        "theory_and_simulation": figures.theory_and_simulation,
        "lost_order": figures.lost_order,
        "tree_levels": figures.tree_levels,
        "tree_times": figures.tree_times,
        "illusion": figures.illusion,
        "coherence": figures.coherence,
        "superclasses": figures.superclasses,
        "thinned_superclass": figures.thinned_superclass,
        "image_orders": figures.image_orders,
    },
    summarize_user_data=summarize_user_data,
    better={"accuracy_percent": "higher"},
    conditions=(
        "network",
        "networks",
        "labels",
        "inputs",
        "followed",
        "group_size",
        "train_examples",
        "epochs",
        "scale",
        "layers",
        "modes",
    ),
    verdict_texts={
        "refuted": "Linear networks learn modes in the order of their strength from small starts. At a quarter of their final accuracy, "
        "networks separate superclasses better than random groupings. Two networks learn the images in a similar order.",
        "standing": "Neither modes nor superclasses nor images are learned in a common order.",
    },
)
