"""Is attention better than convolution? Lightweight and dynamic convolutions (Wu et al. 2019).

The self-attention layers of a transformer are replaced by depthwise convolutions. LightConv has a softmax-normalized kernel that is
shared across channels. DynamicConv predicts the kernel of each position from its features. The rest of the model is unchanged,
including the cross-attention of the decoder. The evidence has four parts:

1. the layers, from a dense convolution to DynamicConv, and attention with a window (``layers``); four backends compute the convolution
   (``convolution``), one of them with Triton kernels for GPUs (``triton_kernels``);
2. the quality of translation and language models with each layer (``trials.translation_models``, ``trials.language_models``);
3. the speed of layers and blocks by sequence length, and of whole models in beam search (``trials.speed``);
4. what a kernel cannot reach: the recall of values that were shown before (``recall``, ``trials.recall``).
"""

from myths.lab.myth import ARTICLE, Myth, Paper
from myths.lightweight_conv import figures, tables
from myths.lightweight_conv.claims import CLAIMS
from myths.lightweight_conv.profiles import trials
from myths.lightweight_conv.trials.kernels import ExportKernels
from myths.lightweight_conv.trials.language_models import TrainLanguageModel
from myths.lightweight_conv.trials.recall import TrainRecall
from myths.lightweight_conv.trials.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.trials.translation_models import TrainTranslationModel
from myths.lightweight_conv.user_summary import summarize_user_data

MYTH = Myth(
    name="lightweight-conv",
    number=6,
    belief="Attention is better than convolution.",
    rebuttal=(
        "Convolutions whose kernels are predicted at each position (DynamicConv) translate as well as self-attention, with no more "
        "parameters, in time linear in the sequence length, and 20 % faster."
    ),
    discussion=(
        "In the controlled ablation of the paper, DynamicConv and self-attention have the same BLEU (26.9). The 29.7 versus 29.3 BLEU of "
        "the abstract compares different papers. The gain is speed: 20 % over self-attention, and 14 % over self-attention with a window "
        "of the same size. Every model keeps the cross-attention of the decoder, so no model is free of attention. Since the paper, fused "
        "attention (FlashAttention) has removed the memory cost and much of the time of full attention. On a CPU, beam search with "
        "DynamicConv is still faster: 1.1 times as fast at 16 tokens and 1.6 times at 128 (cpu-laptop, table decoding; claim "
        "T6-fused-decoding is about the largest of these ratios, L4-decoding about the smallest). Long convolutions and state-space models "
        "have developed the idea further. One known replication of the summarization result reached a lower score (ROUGE-1 34.18 instead "
        "of 39.84, fairseq#594). A few seeds cannot resolve differences of 0.1 to 0.3 BLEU, as between adjacent rows of the ablation. The "
        "paper trains on millions of sentence pairs, this suite on 29,000 image descriptions. Every layer is trained with the best of "
        "three learning rates, which one training run of 750 updates each selects; for the convolutions, it is the largest of the three, "
        "and a larger one may be better (table translation). The comparison counts only if twice the updates no longer improve attention. "
        "With dropout 0.2 and 4,000 updates, they do: DynamicConv is 2.7 BLEU ahead then, of which self-attention makes up 2.0 BLEU by "
        "twice the updates (cpu-undertrained). With dropout 0.05, it gains 0.6 BLEU from 6,000 updates in place of 3,000 and another 0.6 "
        "BLEU from 12,000; DynamicConv is 1.1 BLEU ahead after 6,000, and LightConv 2.2 (cpu-overnight). In the paper, LightConv is the "
        "weaker of the two. Small models suffice for such short sentences. A tie on them does not extend to long documents or large "
        "models. Recall of a value by its key accounts for most of what convolutional language models lack, and a few layers of attention "
        "recover it (Arora et al. 2024). The claims T6-recall and T6-hybrid are to test this. They are undecided: after 2,000 updates, "
        "attention itself recalls only a quarter of the values (cpu-laptop, control L0-trained-recall)."
    ),
    papers=(
        Paper(
            "F. Wu, A. Fan, A. Baevski, Y. N. Dauphin, M. Auli",
            2019,
            "Pay Less Attention with Lightweight and Dynamic Convolutions",
            "ICLR 2019, arXiv 1901.10430",
            "https://arxiv.org/abs/1901.10430",
        ),
        Paper(
            "A. Vaswani, N. Shazeer, N. Parmar, J. Uszkoreit, L. Jones, A. N. Gomez, Ł. Kaiser, I. Polosukhin",
            2017,
            "Attention Is All You Need",
            "NeurIPS 2017, arXiv 1706.03762",
            "https://arxiv.org/abs/1706.03762",
        ),
        Paper(
            "T. Dao, D. Y. Fu, S. Ermon, A. Rudra, C. Ré",
            2022,
            "FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness",
            "NeurIPS 2022, arXiv 2205.14135",
            "https://arxiv.org/abs/2205.14135",
        ),
        Paper(
            "S. Arora, S. Eyuboglu, A. Timalsina, I. Johnson, M. Poli, J. Zou, A. Rudra, C. Ré",
            2024,
            "Zoology: Measuring and Improving Recall in Efficient Language Models",
            "ICLR 2024, arXiv 2312.04927",
            "https://arxiv.org/abs/2312.04927",
        ),
        ARTICLE,
    ),
    trial_types=(TrainTranslationModel, ExportKernels, TrainLanguageModel, TrainRecall, TimeLayer, TimeDecoding),
    trials=trials,
    tables={
        "translation": tables.translation,
        "bleu_differences": tables.bleu_differences,
        "ablation": tables.ablation,
        "speed": tables.speed,
        "slopes": tables.slopes,
        "crossover": tables.crossover,
        "decoding": tables.decoding,
        "language_modeling": tables.language_modeling,
        "longer_training": tables.longer_training,
        "recall": tables.recall,
        "learned_kernels": tables.learned_kernels,
    },
    claims=CLAIMS,
    figures={
        "quality": figures.quality,
        "time_against_length": figures.time_against_length,
        "memory_against_length": figures.memory_against_length,
        "ablation": figures.ablation,
        "bleu_against_updates": figures.bleu_against_updates,
        "recall": figures.recall,
        "learned_kernels": figures.learned_kernels,
    },
    summarize_user_data=summarize_user_data,
    better={
        "bleu": "higher",
        "perplexity": "lower",
        "bits_per_byte": "lower",
        "accuracy_percent": "higher",
        "sentences_per_second": "higher",
        "tokens_per_second": "higher",
        "seconds": "lower",
        "peak_bytes": "lower",
    },
    conditions=(
        "shuffle_sources",
        "updates",
        "embed_dim",
        "batch_tokens",
        "batch_size",
        "length",
        "direction",
        "scope",
        "causal",
        "dtype",
        "precision",
        "beam_size",
        "threads",
        "gap",
        "candidate",
    ),
    verdict_texts={
        "refuted": "Convolutions translate as well as self-attention and decode faster than self-attention as implemented in 2019.",
        "standing": "Convolutions translate worse than self-attention and decode no faster.",
    },
)
