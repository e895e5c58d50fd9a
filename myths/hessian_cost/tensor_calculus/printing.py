"""Print expressions in index notation, as text and as LaTeX."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from myths.hessian_cost.tensor_calculus.expression import (
    AxisFunction,
    Elementwise,
    Expression,
    MatrixFunction,
    Product,
    Selection,
    Size,
    Sum,
    Variable,
    operator,
    variables,
    walk,
)
from myths.hessian_cost.tensor_calculus.functions import FUNCTIONS
from myths.hessian_cost.tensor_calculus.simplify import number

LETTERS = "ijklmnpqrstuvabcdefgh"
SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


MAX_WRITTEN = 500
"""Largest number of nodes that an error message prints, counted with repetition."""


def _fresh(used: frozenset[str]) -> Iterator[str]:
    """Yield unused index letters for sums; numbered letters follow when all are used."""
    numbered = (f"{letter}{n or ''}".translate(SUBSCRIPT) for n in itertools.count() for letter in LETTERS)
    return (letter for letter in numbered if letter not in used)


def summary(expression: Expression, name: str = "") -> str:
    """Return the text of an expression, or its size if the text would be long."""
    parts: dict[Expression, int] = {}
    for node in walk(expression):
        parts[node] = 1 + sum(parts[child] for child in node.children)
    return text(expression, name) if parts[expression] <= MAX_WRITTEN else f"an expression of {parts[expression]:.3g} parts"


@operator
def text(expression: Expression, name: str = "") -> str:
    """Return one line such as ``H[ij] = Σ_k X[ki] X[kj] s[k] (1 - s[k])  where s[k] = …``. A⁻¹[ij] is an entry of the inverse."""
    return _Printer(expression, latex=False).whole(expression, name)


def latex(expression: Expression, name: str = "") -> str:
    """Return the expression as LaTeX for math mode."""
    return _Printer(expression, latex=True).whole(expression, name)


@dataclass
class _Printer:
    """Prints one expression. A long function or sum that occurs twice is named and defined after "where"."""

    root: Expression
    latex: bool
    names: dict[Expression, str] = field(default_factory=dict)
    uses: Counter[Expression] = field(default_factory=Counter)
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.taken = {node.name for node in variables(self.root)}
        self.uses = Counter(child for node in walk(self.root) for child in node.children)

    def whole(self, node: Expression, name: str) -> str:
        letters = tuple(LETTERS[: node.order])
        body = self.body(node, letters, frozenset(letters))[0]
        left = f"{name}{self.index(letters)} = " if name or letters else ""
        definitions: list[str] = []
        written: set[Expression] = set()
        while waiting := [named for named in self.names if named not in written]:
            named = waiting[0]
            written.add(named)
            own = tuple(LETTERS[: named.order])
            definitions.append(f"{self.names[named]}{self.index(own)} = {self.body(named, own, frozenset(own))[0]}")
        where = r",\quad \text{where } " if self.latex else "  where "
        return left + body + (where + ", ".join(definitions) if definitions else "")

    def index(self, letters: tuple[str, ...]) -> str:
        joined = "".join(letters)
        return ("_{" + joined + "}" if self.latex else f"[{joined}]") if letters else ""

    def named(self, node: Expression, letter: str) -> str:
        """Return the name of a node that is defined separately."""
        if node not in self.names:
            fresh = next(name for name in [letter, *(f"{letter}{n}" for n in range(2, 1000))] if name not in self.taken)
            self.taken.add(fresh)
            self.names[node] = fresh
        return self.names[node]

    def write(self, node: Expression, letters: tuple[str, ...], used: frozenset[str]) -> tuple[str, int]:
        """Return a node by name or in full, and its precedence: 0 sum, 1 product, 2 atom."""
        if self.uses[node] > 1 and isinstance(node, Elementwise | Sum | AxisFunction) and not self.short(node):
            letter = "t" if isinstance(node, Sum) else "p" if node.function == "softmax" else node.function[0]
            return self.named(node, letter) + self.index(letters), 2
        return self.body(node, letters, used)

    def short(self, node: Expression) -> bool:
        return isinstance(node, Elementwise) and (node.function == "power" or isinstance(node.argument, Variable))

    def body(self, node: Expression, letters: tuple[str, ...], used: frozenset[str]) -> tuple[str, int]:
        if isinstance(node, Variable):
            return self.symbol(node.name) + self.index(letters), 2
        if isinstance(node, Size):
            return f"|{node.axis}|", 2
        if isinstance(node, Product):
            return self.product(node, letters, used)
        if isinstance(node, Sum):
            return self.sum(node, letters, used), 0
        if isinstance(node, MatrixFunction):
            return self.matrix(node, letters), 2
        if isinstance(node, AxisFunction):
            return self.along(node, letters, used), 2
        if isinstance(node, Selection):
            return self.selection(node, letters), 2
        assert isinstance(node, Elementwise)
        argument, binds = self.write(node.argument, letters, used)
        if node.function == "power":
            return self.power(argument, binds, node.parameter)
        if node.function == "polygamma":
            order = int(node.parameter)
            name = rf"\psi^{{({order})}}" if self.latex else ("digamma", "trigamma")[order] if order < 2 else f"polygamma_{order}"
            return (rf"{name}\left({argument}\right)" if self.latex else f"{name}({argument})"), 2
        if self.latex:
            return FUNCTIONS[node.function].latex + rf"\left({argument}\right)", 2
        return f"{node.function}({argument})", 2

    def along(self, node: AxisFunction, letters: tuple[str, ...], used: frozenset[str]) -> str:
        """Return an axis function with the indices that it reduces, such as ``logsumexp_j(X[ij])``."""
        outer = letters[: node.argument.order - node.along]
        fresh = _fresh(used)
        inner = letters[len(outer) :] or tuple(next(fresh) for _ in range(node.along))
        argument, _ = self.write(node.argument, outer + inner, used | set(inner))
        if self.latex:
            return rf"\operatorname{{{node.function}}}_{{{''.join(inner)}}}\left({argument}\right)"
        return f"{node.function}_{''.join(inner)}({argument})"

    def selection(self, node: Selection, letters: tuple[str, ...]) -> str:
        """Return a selection as a delta of column and row, such as ``δ[i+1,j]``."""
        row = (f"{node.step}" if node.step != 1 else "") + letters[0]
        at = f"{row}{node.start:+d}" if node.start else row
        return rf"\delta_{{{at},{letters[1]}}}" if self.latex else f"δ[{at},{letters[1]}]"

    def power(self, base: str, binds: int, exponent: float) -> tuple[str, int]:
        if exponent == 0.5:
            return (rf"\sqrt{{{base}}}" if self.latex else f"sqrt({base})"), 2
        base = base if binds == 2 and base[-1] not in "⁰¹²³⁴⁵⁶⁷⁸⁹" else f"({base})"
        if self.latex:
            return f"{{{base}}}^{{{exponent:g}}}", 2
        return base + (f"{exponent:g}".translate(SUPERSCRIPT) if exponent.is_integer() else f"^{exponent:g}"), 2

    def product(self, node: Product, letters: tuple[str, ...], used: frozenset[str]) -> tuple[str, int]:
        at: dict[int, str] = {}
        deltas = []
        for label, letter in zip(node.out, letters, strict=True):
            if label in at:
                deltas.append((r"\delta" if self.latex else "δ") + self.index((at[label], letter)))
            at.setdefault(label, letter)
        factors = sorted(node.factors, key=lambda factor: self.rank(factor[0]))
        summed = list(dict.fromkeys(label for _, labels in factors for label in labels if label not in node.out))
        fresh = _fresh(used)
        at |= {label: next(fresh) for label in summed}
        inside = used | set(at.values())
        outer, inner = sorted(deltas), list[str]()  # what is summed over stands after the sigma
        for factor, labels in factors:
            written, binds = self.write(factor, tuple(at[label] for label in labels), frozenset(inside))
            (inner if set(labels) & set(summed) else outer).append(written if binds == 2 else f"({written})")
        head = f"{abs(node.coefficient):.10g}"
        if head != "1" or not outer + inner:
            outer = [head, *outer]
        sign = "-" if node.coefficient < 0 else ""
        sigma = [] if not summed else [(r"\sum_{%s}" if self.latex else "Σ_%s") % "".join(at[label] for label in summed)]
        parts = outer + sigma + inner
        return sign + " ".join(parts), 2 if not sign and len(parts) == 1 else 1

    def rank(self, node: Expression) -> tuple[int, str]:
        """Return the sort key: scalars, variables, functions, sums."""
        base = node.argument if isinstance(node, Elementwise) and node.function == "power" else node
        kind = [Size, Variable, Selection, MatrixFunction, Elementwise, AxisFunction, Product, Sum].index(type(base))
        return (-1 if node.order == 0 else kind), base.key

    def sum(self, node: Sum, letters: tuple[str, ...], used: frozenset[str]) -> str:
        """Return a sum with positive terms first, and numbers before other terms."""
        terms = sorted(node.terms, key=lambda term: (term[0] < 0, number(term[1]) is None, term[1].key))
        written = ""
        for c, term in terms:
            body, binds = self.write(term, letters, used)
            head = "" if abs(c) == 1 else f"{abs(c):.10g}"
            if number(term) is not None:
                head, body = f"{abs(c):.10g}", ""
            body = f"({body})" if head and binds == 0 else body
            sign = (" - " if c < 0 else " + ") if written else ("-" if c < 0 else "")
            written += sign + " ".join(part for part in (head, body) if part)
        return written

    def matrix(self, node: MatrixFunction, letters: tuple[str, ...]) -> str:
        name = self.symbol(node.argument.name) if isinstance(node.argument, Variable) else self.named(node.argument, "M")
        if node.function == "inverse":
            return (f"({name}^{{-1}})" if self.latex else f"{name}⁻¹") + self.index(letters)
        return (rf"\{node.function}" if node.function == "det" else r"\log\det") + f" {name}" if self.latex else f"{node.function}({name})"

    def symbol(self, name: str) -> str:
        return rf"\mathrm{{{name}}}" if self.latex and len(name) > 1 else name
