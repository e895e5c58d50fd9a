"""Escape text for LaTeX."""

from __future__ import annotations

_COMMANDS = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "[": "{[}", "*": "{*}",  # after a line break, LaTeX would read them as its arguments
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "≤": r"$\leq$", "≥": r"$\geq$", "≈": r"$\approx$", "→": r"$\to$", "−": r"$-$",
    "∞": r"$\infty$", "×": r"$\times$", "·": r"$\cdot$", "²": r"$^2$", "³": r"$^3$", "√": r"$\surd$", "…": r"\ldots{}", "°": r"$^\circ$",
    "\u202f": r"\,", "\u00a0": "~", "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "ε": r"$\varepsilon$", "λ": r"$\lambda$",
    "μ": r"$\mu$", "ρ": r"$\rho$", "σ": r"$\sigma$", "τ": r"$\tau$", "Δ": r"$\Delta$",
    "±": r"$\pm$", "‖": r"$\Vert$", "⊗": r"$\otimes$", "ᵀ": r"$^T$", "≠": r"$\neq$", "∈": r"$\in$", "δ": r"$\delta$", "η": r"$\eta$",
    "θ": r"$\theta$", "π": r"$\pi$", "κ": r"$\kappa$", "Σ": r"$\Sigma$", "½": r"$\frac12$", "′": r"$'$",
}  # fmt: skip


def escaped(text: str) -> str:
    """Return text for LaTeX on one line, with special characters escaped and mathematical symbols as commands."""
    return "".join(_COMMANDS.get(letter, letter) for letter in " ".join(text.split()) if letter.isprintable() or letter in _COMMANDS)
