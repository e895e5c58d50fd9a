"""Is attention better than convolution? Lightweight and dynamic convolutions (Wu et al. 2019).

In a transformer the self-attention sub-layer is replaced by a depthwise convolution whose kernel is normalized and shared among
channels, or made by each position from what it is. Everything else stays, the attention of the decoder to the encoder as well.

1. the layers, from a plain convolution to a dynamic one, and attention with a window (``layers``), over one operation that is computed
   in four ways (``convolution``), one of them fused for GPUs (``fused``);
2. how well they translate, and model language (``translators``, ``language_models``, ``corpora``);
3. how long they take (``speed``): layers and blocks against the length, whole models at translating.
"""

from myths.lab.myth import ARTICLE, Myth, Paper
from myths.lightweight_conv import figures, tables
from myths.lightweight_conv.claims import CLAIMS
from myths.lightweight_conv.profiles import trials
from myths.lightweight_conv.trials.kernels import ExportKernels
from myths.lightweight_conv.trials.language_models import TrainLanguageModel
from myths.lightweight_conv.trials.speed import TimeDecoding, TimeLayer
from myths.lightweight_conv.trials.translation_models import TrainTranslationModel
from myths.lightweight_conv.user_summary import summarize_user_data

MYTH = Myth(
    name="lightweight-conv",
    number=6,
    belief="Attention is better than convolution.",
    rebuttal=(
        "A convolution with a kernel that each position makes for itself translates as well as self-attention, with no more parameters, "
        "in time that is linear in the length, and a fifth faster."
    ),
    discussion=(
        "In the paper's own controlled ablation DynamicConv and self-attention tie (26.9 and 26.9 BLEU); the 29.7 against 29.3 of the "
        "abstract compares different papers. What is gained is speed: 20 % over self-attention, 14 % over self-attention of the same "
        "reach. The decoder's attention to the encoder is kept in every model, so nothing here is without attention. Since then fused "
        "attention (FlashAttention) has taken the memory and much of the time away that full attention cost, which is tested here as "
        "what changed; long convolutions and state-space models have taken the idea further. A known attempt to repeat the summarization "
        "result fell short (ROUGE-1 34.18 against 39.84, fairseq#594). Differences of 0.1 to 0.3 BLEU, as between neighbors of the "
        "ablation, are within what a few seeds leave open. The paper trains on millions of pairs; here it is 29,000 image descriptions, "
        "in one pass or a few, which favors what learns fast. On such short sentences a small model does well: a tie on them does not "
        "settle long documents or large models."
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
        ARTICLE,
    ),
    trial_types=(TrainTranslationModel, ExportKernels, TrainLanguageModel, TimeLayer, TimeDecoding),
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
        "learned_kernels": tables.learned_kernels,
    },
    claims=CLAIMS,
    figures={
        "quality": figures.quality,
        "time_against_length": figures.time_against_length,
        "memory_against_length": figures.memory_against_length,
        "ablation": figures.ablation,
        "learned_kernels": figures.learned_kernels,
    },
    summarize_user_data=summarize_user_data,
    better={
        "bleu": "higher",
        "perplexity": "lower",
        "bits_per_byte": "lower",
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
    ),
    verdict_texts={
        "refuted": "Convolutions translate as well as self-attention, and decode faster than it did in 2019.",
        "still standing": "Convolutions translate worse than self-attention, and no faster.",
        "open": "Not all that decides was measured here, or it is undecided: see the tie in quality (L2) and the speed (L4).",
        "aged": "Convolutions translate as well and were faster; today's attention has caught up: see the claims of today.",
    },
)
