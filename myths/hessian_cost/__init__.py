"""Myth 1: TensorFlow is a tensor library. The cost of Hessians (Laue, Mitterreiter and Giesen 2018, 2020).

In 2018, frameworks differentiated scalar functions only. A Hessian was a loop over the entries of the gradient, with one backward pass
per row. Laue et al. derive the Hessian as one tensor expression and evaluate that expression. This package implements their calculus
(``tensor_calculus``) and compares its run time with the row loop, with newer framework functions, and with a hand-derived closed form
(``problems``, ``methods``, ``trials``).
"""

from myths.hessian_cost import figures, profiles, tables
from myths.hessian_cost.claims import CLAIMS
from myths.hessian_cost.problems import derivations
from myths.hessian_cost.trials import CompareHessians, MeasureMachine, TimeFormula, TimeGradient, TimeHessian, TimeNewtonStep
from myths.lab.myth import ARTICLE, Myth, Paper

MYTH = Myth(
    name="hessian-cost",
    number=1,
    belief="TensorFlow is a tensor manipulation library.",
    rebuttal=(
        "TensorFlow and every other framework of 2018 manipulated matrices and differentiated scalar functions only. A tensor calculus "
        "that derives the Hessian as one expression is up to two orders of magnitude faster on CPUs and about three on GPUs."
    ),
    discussion=(
        "The gap came from the interfaces as much as from the calculus. Gradients were never slow. Vectorized maps (torch.func, "
        "jax.hessian, GradientTape.jacobian) have been added since, and T1 measures whether they close the gap: on a CPU, the fastest of "
        "PyTorch's own ways still takes more than 10 times as long as the closed form on two of three problems, but 3 times on logistic "
        "regression (T1-cpu-best-torch). JAX's jit(hessian) takes 2 to 4 times as long as the closed form on logistic regression and 12 to "
        "23 times on the quadratic form (cpu-laptop and cpu-xeon, table comparisons). On matrix factorization, which decides this myth, it "
        "takes 0.8 to 1.0 times as long as the row loop (T1-cpu-jax). Batching does not exploit structure: a Hessian such as 2 I ⊗ VᵀV "
        "need not be computed row by row or even materialized (H6). The frameworks of 2018 cannot be installed today. The row loop is "
        "timed with the current PyTorch, which may be faster than the version of the paper. PyTensor and CasADi installed by pip use no "
        "BLAS, so that they are timed but not judged in H2. CPU times are of one thread: with more, they would depend on the load of the "
        "machine. Sparse differentiation is compared on matrix factorization only: the other two Hessians have no zeros that it could use. "
        "H4, Einstein versus Ricci notation, is cited, not measured."
    ),
    papers=(
        Paper(
            "S. Laue, M. Mitterreiter, J. Giesen",
            2018,
            "Computing Higher Order Derivatives of Matrix and Tensor Expressions",
            "NeurIPS 2018, 2750–2759",
            "https://papers.nips.cc/paper/7540-computing-higher-order-derivatives-of-matrix-and-tensor-expressions",
        ),
        Paper(
            "S. Laue, M. Mitterreiter, J. Giesen",
            2020,
            "A Simple and Efficient Tensor Calculus",
            "AAAI 2020, 34(04), 4527–4534",
            "https://doi.org/10.1609/aaai.v34i04.5881",
        ),
        ARTICLE,
    ),
    trial_types=(CompareHessians, TimeHessian, TimeGradient, TimeNewtonStep, TimeFormula, MeasureMachine),
    trials=profiles.trials,
    tables={
        "comparisons": tables.comparisons,
        "hessians": tables.hessians,
        "gradients": tables.gradients,
        "newton": tables.newton,
        "slowdowns": tables.slowdowns,
        "slopes": tables.slopes,
        "machine": tables.machine,
    },
    claims=CLAIMS,
    example=derivations,
    figures={"seconds": figures.seconds, "slowdowns": figures.slowdowns, "memory": figures.memory},
    better={
        "ratio": "lower",
        "seconds": "lower",
        "slowdown": "lower",
        "peak_bytes": "lower",
        "speedup": "higher",
        "compressed_seconds": "lower",
        "dense_seconds": "lower",
        "gemm_gflops": "higher",
        "triad_gb_per_second": "higher",
    },
    conditions=("problem", "reference", "variables", "n_variables", "dtype", "threads", "at", "draws", "rows", "rank", "matrix", "vector"),
    verdict_texts={
        "refuted": "On at least one problem, a loop over gradient rows (PyTorch) is far slower than one tensor expression.",
        "standing": "A loop over gradient rows (PyTorch) is nearly as fast as the tensor expression: matrix libraries are sufficient.",
    },
)
