"""Do very deep residual networks need (batch) normalization? Fixup initialization (Zhang, Dauphin, Ma 2019).

Without normalization, standard weights make a residual network's output and gradients grow exponentially with its depth. Fixup begins
with branches that are zero and scales what stands before their last layers, so that a step of gradient descent changes the function by
as much at any depth. The evidence in five parts:

1. one epoch at every depth, with every method, at the learning rate of batch normalization (``methods``, ``network``, ``trials``);
2. training to the end, ResNet-110 with Fixup against batch normalization;
3. the law itself: how much a step changes the function, and the gradients layer by layer, against depth (``update``);
4. a translation transformer without layer normalization (``translation``);
5. what the paper does not give: the same first epoch over a grid of learning rates.

Ten thousand layers fit one GPU by computing activations again (``memory``), and CUDA graphs keep launches from ruling its time (``graph``).
"""

from myths.fixup import figures, tables
from myths.fixup.claims import CLAIMS
from myths.fixup.profiles import trials
from myths.fixup.trials import TrainFullSchedule, TrainOneEpoch
from myths.fixup.trials.translation import TrainTransformer
from myths.fixup.trials.update import MeasureUpdate
from myths.lab.myth import ARTICLE, Myth, Paper

MYTH = Myth(
    name="fixup",
    number=5,
    belief="Very deep residual networks need (batch) normalization.",
    rebuttal=(
        "Started by Fixup, residual networks of up to 10,000 layers train without any normalization, by plain SGD at the learning rate of "
        "batch normalization, and ResNet-110 ends within 0.6 points of it on CIFAR-10."
    ),
    discussion=(
        "Batch normalization is not necessary, but it is still the easier default. What replaces it needs regularization: Fixup nears it "
        "on ImageNet only with mixup, and normalizer-free networks needed adaptive gradient clipping to pass it. Reruns of the authors' "
        "code report some 40 % after one epoch where the paper's figure is read as 50 % (issue 10), 35 % after 200 epochs (issue 9, "
        "unanswered) and errors above those of the paper (issue 12). KataGo, the largest public user of Fixup, later went back to a fixed "
        "variance with a single batch normalization. One scalar a branch, zero at the start (SkipInit), does much of what Fixup does. "
        "The paper compares at one learning rate; the grid of rates here shows what each method makes of others. The authors' code "
        "gives scalars a tenth of the rate, of which the paper says nothing, and its batch normalization begins branches at zero too; "
        "both are followed here. At its start Fixup's classification layer is zero, so that the first step cannot depend on depth by "
        "construction; the steps after it are what tests the law."
    ),
    papers=(
        Paper(
            "H. Zhang, Y. N. Dauphin, T. Ma",
            2019,
            "Fixup Initialization: Residual Learning Without Normalization",
            "ICLR 2019, arXiv 1901.09321",
            "https://arxiv.org/abs/1901.09321",
        ),
        Paper(
            "S. De, S. L. Smith",
            2020,
            "Batch Normalization Biases Residual Blocks Towards the Identity Function in Deep Networks",
            "NeurIPS 2020, arXiv 2002.10444",
            "https://arxiv.org/abs/2002.10444",
        ),
        Paper(
            "A. Brock, S. De, S. L. Smith, K. Simonyan",
            2021,
            "High-Performance Large-Scale Image Recognition Without Normalization",
            "ICML 2021, arXiv 2102.06171",
            "https://arxiv.org/abs/2102.06171",
        ),
        ARTICLE,
    ),
    trial_types=(TrainOneEpoch, TrainFullSchedule, MeasureUpdate, TrainTransformer),
    trials=trials,
    tables={
        "depth_sweep": tables.depth_sweep,
        "one_epoch": tables.one_epoch,
        "sensitivity": tables.sensitivity,
        "full_training": tables.full_training,
        "difference_from_bn": tables.difference_from_bn,
        "curves": tables.curves,
        "updates": tables.updates,
        "gradients": tables.gradients,
        "slopes": tables.slopes,
        "translations": tables.translations,
    },
    claims=CLAIMS,
    figures={
        "depth": figures.depth,
        "curves": figures.curves,
        "updates": figures.updates,
        "gradients": figures.gradients,
        "sensitivity": figures.sensitivity,
    },
    better={"test_accuracy_percent": "higher", "test_error_percent": "lower", "seconds_per_step": "lower", "peak_memory_bytes": "lower"},
    conditions=("architecture", "depth", "width", "image_size", "train_examples", "epochs", "batch_size", "mixup"),
    verdict_texts={
        "refuted": "A thousand layers train without normalization, and ResNet-110 ends no more than 1.5 points behind it.",
        "still standing": "Without normalization a thousand layers did not train, and ResNet-110 ended more than 1.5 points behind.",
        "open": "Not all that decides was measured here, or it is undecided: see U1-trains-1000 and U2-gap.",
        "aged": "Very deep networks train without normalization; since then something changed: see the claims of today.",
    },
)
