"""Claims of myth 9, with their measures and criteria.

All criteria are proposals of this suite; the papers state none. Those of the theory (Q) were mostly chosen after small simulations and are
marked as not blind. Those of trained image networks (O) were chosen before any run.
"""

from __future__ import annotations

from functools import partial

from myths.lab.claim import PROPOSED, Claim, FirstOf, cited
from myths.lab.criterion import above, at_least, at_most, between
from myths.lab.measures import largest, mean_over_seeds, mean_share_over_seeds, only_value
from myths.order import measures
from myths.order.item_modes import ANIMALS_AND_PLANTS
from myths.order.trials import CompareOrders, DrawTrees, FindCategory, FindItemModes, LearnModes, LearnTree, ThinSuperclass, TrackImages

SAXE = "Saxe et al. 2019"
SOLUTION = f"{SAXE}, solution of the dynamics of two layers, derived again"
HACOHEN = "Hacohen et al. 2020, abstract"

DATASETS = FirstOf("cifar100", "digits")
"""scikit-learn's digits are a stand-in, on which no conclusion is drawn."""
CNN = ("small_cnn", "mnist_cnn")
CROSS = ("small_cnn and mlp", "mnist_cnn and mlp")
RESNETS = ("small_cnn and resnet8", "small_cnn and resnet18")
GROUPINGS = (100, 200)

RANDOM = {"start": "random", "scale": 0.001, "layers": 2, "modes": 4}
BALANCED = {"start": "balanced", "scale": 0.001, "layers": 2, "modes": 4}
SAME_KIND = {"dataset": DATASETS, "networks": CNN, "labels": "true", "inputs": "images", "followed": "test", "group_size": 1}

_starts = partial(Claim, table="linear_starts", trial=LearnModes, repetition_unit="seeds")
_modes = partial(Claim, kind="control", table="linear_modes", trial=LearnModes, repetition_unit="exact", blind=False)
_trees = partial(Claim, table="tree_draws", trial=LearnTree, repetition_unit="seeds")
_categories = partial(Claim, table="category_draws", trial=FindCategory, repetition_unit="seeds")
_orders = partial(Claim, table="orders", trial=CompareOrders, repetition_unit="seeds")

LINEAR = (
    _modes(
        id="Q1",
        statement="From a balanced start (equally strong layers), every mode follows the exact solution within 2 % of its singular value.",
        **cited("computed", SOLUTION), unit="% of s", where=BALANCED, measure=measures.finest_error_percent, criterion=at_most(2),
        guards=(LearnModes,),
    ),
    _modes(
        id="Q1-step",
        statement="Half the time step halves the distance from the exact solution.",
        **PROPOSED, unit="×", where=BALANCED, measure=measures.ratio_of_errors, criterion=between(1.8, 2.2), guards=(LearnModes,),
    ),
    _starts(
        id="Q2",
        statement="From a small random start, the time to learn a mode is nearly inversely proportional to its singular value (exponent "
        "−1.1 to −0.8).",
        **cited("computed", f"{SOLUTION}: −1 up to a logarithm", -1.0), unit="exponent", where=RANDOM,
        measure=partial(measures.mean_over_draws, "exponent"), criterion=between(-1.1, -0.8), primary=True, blind=False,
    ),
    _starts(
        id="Q2-balanced",
        statement="From a balanced start of strength a₀, the time to learn a mode divided by ln(s/a₀ − 1) is inversely proportional to s.",
        **cited("computed", SOLUTION, -1.0), unit="exponent", where=BALANCED,
        measure=partial(only_value, "exponent_with_log"), criterion=between(-1.1, -0.9), repetition_unit="exact", blind=False,
    ),
    _starts(
        id="Q2-twelve",
        statement="From a small random start, the times to learn twelve modes are nearly inversely proportional to their singular values.",
        **cited("computed", f"{SOLUTION}: −1 up to a logarithm", -1.0), unit="exponent", where={**RANDOM, "modes": 12},
        measure=partial(measures.mean_over_draws, "exponent"), criterion=between(-1.1, -0.8),
    ),
    _starts(
        id="Q3",
        statement="At least 90 % of networks without hidden layer learn all modes in the same time (slowest over fastest at most 1.1).",
        **cited("computed", f"{SAXE}, solution for one layer, derived again", 1.0), unit="of starts", where={**RANDOM, "layers": 1},
        measure=partial(measures.share_at_most, "slowest_to_fastest", 1.1), criterion=at_least(0.9), blind=False,
    ),
    _starts(
        id="Q7-small",
        statement="From random weights of standard deviation 0.1/√inputs, at least 90 % of networks learn the modes in the order of s.",
        **PROPOSED, unit="of starts", where={**RANDOM, "scale": 0.1}, measure=partial(measures.share_of_draws, "in_order"),
        criterion=at_least(0.9), blind=False,
    ),
    _starts(
        id="Q7-large",
        statement="From random weights of standard deviation 2/√inputs, at most 30 % of networks learn the modes in the order of s.",
        **PROPOSED, unit="of starts", where={**RANDOM, "scale": 2.0}, measure=partial(measures.share_of_draws, "in_order"),
        criterion=at_most(0.3), blind=False,
    ),
    Claim(
        id="Q8",
        statement="Before each mode, the loss has a plateau at half the sum of the squared singular values not yet learned, within 2 %.",
        **PROPOSED, unit="%", table="plateaus", trial=LearnModes, where={"start": "balanced", "layers": 2, "modes": 3},
        measure=partial(largest, "deviation_percent"), criterion=at_most(2), repetition_unit="exact",
    ),
)  # fmt: skip

TREE = {"depth": 4, "leaf_repeats": 0}
HIERARCHY = (
    Claim(
        id="Q4-values", kind="control",
        statement="The singular value of every level of a tree of 16 items is within 5 % of its formula.",
        **cited("computed", f"{SAXE}, branching diffusion, derived again"), unit="%", table="tree_levels", trial=DrawTrees,
        where={"depth": 4},
        measure=measures.largest_deviation_percent, criterion=at_most(5), repetition_unit="seeds", blind=False, guards=(LearnTree,),
    ),
    Claim(
        id="Q4-items", kind="control",
        statement="The first mode of eight animals and plants separates the animals from the plants.",
        **PROPOSED, unit="items misplaced", table="item_modes", trial=FindItemModes, where={"dataset": ANIMALS_AND_PLANTS, "mode": 1},
        measure=partial(only_value, "misplaced_items"), criterion=between(0, 0), repetition_unit="exact", blind=False,
    ),
    _trees(
        id="Q4-linear",
        statement="Deep linear networks learn the levels of a tree from broad to fine, for at least 90 % of random trees.",
        **cited("from memory", f"{SAXE} (progressive differentiation, stated without a number)"), unit="of draws",
        where={**TREE, "network": "linear"},
        measure=partial(measures.share_of_draws, "broad_first"), criterion=at_least(0.9),
    ),
    _trees(
        id="Q4-relu",
        statement="Networks with hidden ReLU units learn the levels of a tree from broad to fine, for at least 90 % of random trees.",
        **cited("from memory", f"{SAXE} (progressive differentiation, stated for linear networks)"), unit="of draws",
        where={**TREE, "network": "relu"},
        measure=partial(measures.share_of_draws, "broad_first"), criterion=at_least(0.9),
    ),
    _trees(
        id="Q6-deep",
        statement="In deep linear networks, the output for a property that an item does not share with its branch first moves in the "
        "wrong direction, by more than 5 % of the largest final value.",
        **cited("from memory", f"{SAXE} (illusory correlations, stated without a number)"), unit="% of the final value",
        where={**TREE, "network": "linear"},
        measure=partial(measures.mean_over_draws, "wrong_way_percent"), criterion=above(5),
        controls=("Q6-shallow",),
    ),
    _trees(
        id="Q6-shallow", kind="control",
        statement="In a network without hidden layer, no such output moves in the wrong direction by more than 1 %, for at least 90 % of "
        "random trees.",
        **PROPOSED, unit="of draws", where={**TREE, "network": "shallow"},
        measure=partial(measures.share_at_most, "wrong_way_percent", 1.0), criterion=at_least(0.9), blind=False,
    ),
    _trees(
        id="O5",
        statement="If distinctions between siblings are repeated until they are strongest, they are learned first: in at least 95 % of "
        "random trees, the order of the levels follows the new singular values.",
        **PROPOSED, unit="of draws", where={"network": "linear", "leaf_repeats": 16},
        measure=partial(measures.share_of_draws, "follows_singular_values"), criterion=at_least(0.95),
    ),
)  # fmt: skip

LIMIT = "random tables plus rank one (Benaych-Georges & Nadakuditi 2012), derived again"
EXACT = {"objects": 400, "category_objects": (50, 100), "category_properties": (200, 400)}
COHERENCE = (
    _categories(
        id="Q5-below",
        statement="Below the threshold (C at most 0.7), the squared overlap of the first mode with a category's objects is at most 0.1.",
        **cited("computed", LIMIT, 0.0), unit="overlap²", where={**EXACT, "coherence": (0.5, 0.7)},
        measure=partial(measures.largest_mean, "overlap_objects"), criterion=at_most(0.1), blind=False,
    ),
    _categories(
        id="Q5-above",
        statement="At twice the threshold (C = 2), the squared overlap of the first mode with a category's objects exceeds 0.5.",
        **cited("computed", LIMIT, 0.6), unit="overlap²", where={**EXACT, "coherence": 2.0, "noise": "gaussian"},
        measure=partial(measures.mean_over_draws, "overlap_objects"), criterion=above(0.5), blind=False,
    ),
    _categories(
        id="Q5-blue",
        statement="Forty of 400 objects that share one property only, such as blue, are not found by the first mode (overlap at most "
        "0.1).",
        **PROPOSED, unit="overlap²", where={"category_objects": 40, "category_properties": 1},
        measure=partial(measures.mean_over_draws, "overlap_objects"), criterion=at_most(0.1),
    ),
    _categories(
        id="Q9-objects", kind="control",
        statement="From C = 1.5 on, the squared overlap of the first mode with a category's objects is within 0.04 of the limit for "
        "large tables.",
        **cited("computed", LIMIT), unit="overlap²", where={**EXACT, "coherence": (1.5, 2.0, 3.0)},
        measure=partial(measures.largest_distance, "overlap_objects"), criterion=at_most(0.04), blind=False, guards=(FindCategory,),
    ),
    _categories(
        id="Q9-properties", kind="control",
        statement="From C = 1.5 on, the squared overlap of the first mode with a category's properties is within 0.04 of the limit for "
        "large tables.",
        **cited("computed", LIMIT), unit="overlap²", where={**EXACT, "coherence": (1.5, 2.0, 3.0)},
        measure=partial(measures.largest_distance, "overlap_properties"), criterion=at_most(0.04), blind=False, guards=(FindCategory,),
    ),
)  # fmt: skip

IMAGES = (
    Claim(
        id="O0", kind="control",
        statement="The convolutional network learns: at least 20 % of test images are classified correctly.",
        **PROPOSED, unit="%", table="training_runs", trial=TrackImages,
        where={"dataset": DATASETS, "network": CNN, "labels": "true", "groupings": GROUPINGS},
        measure=partial(mean_over_seeds, "accuracy_percent"), criterion=at_least(20), repetition_unit="seeds",
        guards=(TrackImages, CompareOrders, ThinSuperclass),
    ),
    Claim(
        id="O1",
        statement="CIFAR-100: when a network reaches a quarter of its final accuracy, its accuracy on superclasses exceeds that on random "
        "groupings of the classes by more than 0.05 (κ, corrected for chance).",
        **PROPOSED, unit="κ", table="superclasses", trial=TrackImages,
        where={"dataset": DATASETS, "network": CNN, "labels": "true", "groupings": GROUPINGS},
        measure=partial(mean_over_seeds, "margin"), criterion=above(0.05), repetition_unit="seeds", primary=True,
    ),
    Claim(
        id="O1-all",
        statement="CIFAR-100: in more than half of networks, none of 200 random groupings reaches κ of the superclasses when the network "
        "reaches a quarter of its final accuracy.",
        **PROPOSED, unit="of networks", table="superclasses", trial=TrackImages,
        where={"dataset": DATASETS, "network": CNN, "labels": "true", "groupings": GROUPINGS},
        measure=partial(measures.share_at_most, "random_as_good", 0), criterion=above(0.5), repetition_unit="seeds", blind=False,
    ),
    _orders(
        id="O2",
        statement="Two convolutional networks with different initial weights and data order learn the test images in a similar order "
        "(Spearman's ρ at least 0.6).",
        **cited("read", f"{HACOHEN} (stated without a number)"), unit="Spearman ρ", where=SAME_KIND,
        measure=partial(measures.correlation_over_pairs, "spearman"), criterion=at_least(0.6), primary=True,
    ),
    _orders(
        id="O3",
        statement="A fully connected and a convolutional network learn the images in a similar order (ρ at least 0.3 at equal accuracy).",
        **cited("read", f"{HACOHEN} (stated without a number)"), unit="Spearman ρ", where={**SAME_KIND, "networks": CROSS},
        measure=partial(measures.correlation_over_pairs, "spearman_equal_accuracy"), criterion=at_least(0.3),
    ),
    *(
        _orders(
            id=id, statement=f"A {name} and a convolutional network learn the images in a similar order (ρ at least 0.3 at equal "
            "accuracy).",
            **cited("read", f"{HACOHEN} (stated without a number)"), unit="Spearman ρ", where={**SAME_KIND, "networks": networks},
            measure=partial(measures.correlation_over_pairs, "spearman_equal_accuracy"), criterion=at_least(0.3),
        )
        for id, name, networks in (
            ("O3-resnet", "residual", RESNETS),
            ("O3-transformer", "transformer on patches", "small_cnn and patch_transformer"),
        )
    ),
    _orders(
        id="O3-lower",
        statement="At equal accuracy, the orders of a fully connected and a convolutional network agree less than those of two "
        "convolutional ones.",
        **cited("read", f"{HACOHEN} (strongest for one architecture, stated without a number)"), unit="difference of Spearman ρ",
        where={**SAME_KIND, "networks": (*CNN, *CROSS)}, needs=({"networks": CNN}, {"networks": CROSS}),
        measure=partial(measures.kind_difference, "spearman_equal_accuracy"), criterion=above(0),
    ),
    *(
        _orders(
            id=id, statement=statement, **cited("read", source), unit="Spearman ρ less half of that with true labels",
            where={**SAME_KIND, "followed": "train", "labels": ("true", labels)}, needs=({"labels": "true"}, {"labels": labels}),
            measure=partial(measures.correlation_difference, "spearman", "labels", (labels, "true"), factor=0.5), criterion=at_most(0),
            controls=("O4-fitted",),
        )
        for id, labels, statement, source in (
            ("O4", "shuffled",
             "With shuffled labels, the same for both networks, the orders of the training images agree at most half as well as with "
             "true labels.",
             f"{HACOHEN} (ceases on some synthetic data); Pliushch et al. 2022, abstract, report the opposite"),
            ("O4-twice", "shuffled twice",
             "With labels shuffled differently for each network, the orders of the training images agree at most half as well as with "
             "true labels.",
             "Pliushch et al. 2022, abstract (agreement is independent of labels, stated without a number)"),
        )
    ),
    Claim(
        id="O4-fitted", kind="control",
        statement="Networks fit shuffled labels: in the end, they classify at least 20 % of the training images as labeled.",
        **PROPOSED, unit="%", table="training_runs", trial=TrackImages,
        where={"dataset": DATASETS, "network": CNN, "labels": "shuffled", "inputs": "images", "followed": "train"},
        measure=partial(mean_over_seeds, "accuracy_percent"), criterion=at_least(20), repetition_unit="seeds",
    ),
    _orders(
        id="O4-null", kind="control",
        statement="On noise images with labels shuffled differently for each network, the orders do not agree (|ρ| at most 0.1).",
        **PROPOSED, unit="Spearman ρ", where={**SAME_KIND, "followed": "train", "labels": "shuffled twice", "inputs": "noise"},
        measure=partial(measures.correlation_over_pairs, "spearman"), criterion=between(-0.1, 0.1), guards=(CompareOrders,),
    ),
)  # fmt: skip

_thinned = partial(
    Claim, **PROPOSED, unit="of the other superclasses", table="thinned_superclasses", trial=ThinSuperclass,
    where={"dataset": "cifar100", "network": "small_cnn", "kept_fraction": 0.1}, repetition_unit="seeds",
)  # fmt: skip
THINNING = (
    _thinned(
        id="O5-images",
        statement="CIFAR-100: if nine of ten training images of the superclass that other networks learn first are removed, at least half "
        "of the other superclasses are learned before it.",
        measure=partial(mean_share_over_seeds, "before_thinned"), criterion=at_least(0.5), controls=("O5-early", "O5-learned"),
    ),
    _thinned(
        id="O5-early", kind="control",
        statement="CIFAR-100: with all training images, at most a quarter of the other superclasses are learned before the one that other "
        "networks learn first.",
        measure=partial(mean_share_over_seeds, "before_all_images"), criterion=at_most(0.25),
    ),
    Claim(
        id="O5-learned", kind="control", **PROPOSED, unit="of the checkpoints",
        statement="CIFAR-100: the test images of the thinned superclass are correct at 5 % of the checkpoints or more, on average "
        "(chance: 1 %).",
        table="superclass_scores", trial=ThinSuperclass, repetition_unit="seeds", blind=False,
        where={"dataset": "cifar100", "network": "small_cnn", "kept_fraction": 0.1, "is_thinned": True},
        measure=partial(mean_over_seeds, "score_thinned"), criterion=at_least(0.05),
    ),
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (*LINEAR, *HIERARCHY, *COHERENCE, *IMAGES, *THINNING)
