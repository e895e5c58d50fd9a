"""Do very deep residual networks need (batch) normalization? Fixup initialization (Zhang, Dauphin, Ma 2019).

Without normalization, the outputs and gradients of a residual network with standard initialization grow exponentially with its depth.
Fixup initializes the last layer of every residual branch to zero and scales down the layers before it. A step of gradient descent then
changes the function by the same amount at any depth. The evidence has five parts:

1. the accuracy after one epoch at every depth, with every method, at the learning rate of batch normalization (``trials.training_runs``);
2. the final accuracy of ResNet-110 with Fixup and with batch normalization;
3. the size of an update and the gradient of each block, against depth (``trials.update``);
4. a translation transformer without layer normalization (``trials.translation``);
5. the accuracy after one epoch over a grid of learning rates, which the paper does not report.

Gradient checkpointing fits 10,000 layers into the memory of one GPU (``memory``). CUDA graphs remove the overhead of kernel launches
(``myths.lab.step_recorder``).
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
        "With Fixup initialization, residual networks of up to 10,000 layers train without normalization, using SGD at the learning rate "
        "used for batch normalization. On CIFAR-10, ResNet-110 with Fixup reaches an accuracy within 0.63 points of batch normalization."
    ),
    discussion=(
        "Batch normalization is not necessary, but it is still the easier default. Its replacements need regularization: on ImageNet, "
        "Fixup approaches batch normalization only with mixup, and normalizer-free networks needed adaptive gradient clipping to exceed "
        "it. Three issues of the authors' repository report lower accuracy: 40 % after one epoch instead of about 50 % (issue 10), 35 % "
        "after 200 epochs (issue 9, unanswered), and larger final errors than in the paper (issue 12). KataGo, the largest public user of "
        "Fixup, later replaced it by a fixed variance with a single batch normalization. One zero-initialized scalar per branch (SkipInit) "
        "has much of the effect of Fixup. The paper compares methods at one learning rate; this suite also measures a grid of learning "
        "rates. The authors' code trains scalars at a tenth of the learning rate, which the paper does not mention, and its batch "
        "normalization also initializes branches to zero. This suite does both. Fixup initializes the classification layer to zero, so the "
        "first step cannot depend on depth. The later steps test the theory. After 400 steps, a network without its residual branches has "
        "62 to 78 % of the accuracy above chance of 22 layers, on average 70 % (cpu-overnight, five seeds, table share_of_shallow). So the "
        "limit of 70 % in claim U1-trains-1000 does not separate deep networks with and without branches. Their direct comparison does: "
        "1,000 layers with Fixup are 6.7 points more accurate (control U0-branches-1000). That Dynamic Tanh lowers the loss of language "
        "models with few data and raises it with many (arXiv 2604.23434, abstract) is cited, not measured: the suite trains no language "
        "model with it."
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
        "share_of_shallow": tables.share_of_shallow,
        "sensitivity": tables.sensitivity,
        "full_training": tables.full_training,
        "difference_from_bn": tables.difference_from_bn,
        "difference_from_no_branches": tables.difference_from_no_branches,
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
        "refuted": "A 1,000-layer network trains without normalization, and ResNet-110 is within 1.5 points of batch normalization.",
        "standing": "Without normalization, a 1,000-layer network did not train, and ResNet-110 was more than 1.5 points worse.",
    },
)
