"""Is TensorFlow a tensor library? The cost of Hessians (Laue, Mitterreiter and Giesen 2018, 2020).

In 2018 the frameworks differentiated scalars only: a Hessian was a loop over the entries of the gradient, one backward pass a
row. Laue et al. derive the Hessian as *one* tensor expression and evaluate that. Here their calculus is written anew
(``tensor_calculus``) and timed beside that loop, beside what frameworks have added since, and beside the formula that a person
would type in (``problems``, ``methods``, ``trials``).
"""

from myths.hessian_cost import figures, profiles, tables
from myths.hessian_cost.claims import CLAIMS
from myths.hessian_cost.problems import derivations
from myths.hessian_cost.trials import TimeFormula, TimeGradient, TimeHessian, TimeNewtonStep
from myths.lab.myth import ARTICLE, Myth, Paper

MYTH = Myth(
    name="hessian-cost",
    number=1,
    belief="TensorFlow is a tensor manipulation library.",
    rebuttal=(
        "It, and every framework of 2018, manipulated matrices and differentiated scalars. A tensor calculus that derives the Hessian as "
        "one expression is up to two orders of magnitude faster on CPUs and about three on GPUs."
    ),
    discussion=(
        "The gap was one of interfaces as much as of calculus: gradients were never slow, and vectorized maps (torch.func, jax.hessian, "
        "GradientTape.jacobian) have been added since; whether they close it is what H7 measures. What no batching gives is structure: "
        "that a Hessian is a sum or 2 I ⊗ VᵀV, which need not be computed row by row or even materialized (H6). The frameworks of 2018 "
        "cannot be installed today: the row loop is timed on today's PyTorch, which may be faster than what the paper met, and PyTensor "
        "as pip installs it finds no BLAS, which weighs on it in H2. H4, Einstein against Ricci notation, is cited only."
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
    trial_types=(TimeHessian, TimeGradient, TimeNewtonStep, TimeFormula),
    trials=profiles.trials,
    tables={
        "hessians": tables.hessians,
        "gradients": tables.gradients,
        "newton": tables.newton,
        "slowdowns": tables.slowdowns,
        "slopes": tables.slopes,
    },
    claims=CLAIMS,
    example=derivations,
    figures={"seconds": figures.seconds, "slowdowns": figures.slowdowns, "memory": figures.memory},
    better={
        "seconds": "lower",
        "slowdown": "lower",
        "peak_bytes": "lower",
        "speedup": "higher",
        "compressed_seconds": "lower",
        "dense_seconds": "lower",
    },
    conditions=("problem", "variables", "n_variables", "dtype", "at", "draws", "rows", "rank"),
    verdict_texts={
        "refuted": "The loop over rows of the gradient loses by far to one tensor expression, and so do today's interfaces.",
        "still standing": "The loop over rows is nearly as fast as the tensor expression: matrix libraries lose nothing.",
        "open": "The tensor expression wins clearly on some of the three problems only, or not all of them were measured.",
        "aged": "The loop over rows loses by far to one tensor expression, but some frameworks have closed the gap since.",
    },
)
