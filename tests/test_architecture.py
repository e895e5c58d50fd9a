"""Imports point down and never in a circle, those inside functions and for types included; functions fit on a screen."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import myths
from myths import suite

PACKAGE = Path(myths.__file__).parent
FOLDERS = {myth.folder for myth in suite.OURS}
LAB, MYTH, SUITE, COMMAND = range(4)


@cache
def parsed():
    """The syntax tree of every file, by the name of its module."""
    trees = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        trees[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(file.read_text(encoding="utf-8"))
    return trees


@cache
def imports():
    """The modules that each module imports anywhere in its file."""
    modules = parsed()
    found = {}
    for module, tree in modules.items():
        named = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                named += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{module}, line {node.lineno}: imports are absolute here"
                named += [inner if (inner := f"{node.module}.{alias.name}") in modules else node.module for alias in node.names]
        found[module] = {name for name in named if name in modules and name != module}
    return found


def rank(module):
    part = (*module.split("."), "")[1]
    return LAB if part == "lab" else MYTH if part in FOLDERS else SUITE if part == "suite" else COMMAND


def test_no_files_import_each_other_in_a_circle():
    TopologicalSorter(imports()).prepare()  # raises CycleError that shows a circle


def test_imports_point_from_the_command_to_the_suite_to_a_myth_to_the_lab():
    upward = {(one, other) for one, others in imports().items() for other in others if rank(other) > rank(one)}
    across = {
        (one, other)
        for one, others in imports().items()
        for other in others
        if rank(one) == rank(other) == MYTH and one.split(".")[1] != other.split(".")[1]
    }
    assert upward | across == set()


def test_in_the_lab_imports_point_from_execution_to_storage_to_measurement():
    rooms = ("measurement", "storage", "execution")
    place = {module: rooms.index(room) for module in imports() if (room := (*module.split("."), "", "")[2]) in rooms}
    assert len(place) > 20
    upward = {(one, other) for one, others in imports().items() if one in place for other in others if place.get(other, 0) > place[one]}
    assert upward == set()


def test_every_import_of_the_package_is_seen():
    """The tests above see what is imported: in functions, for types, of packages and of files."""
    seen = imports()
    assert "myths.suite" in seen["myths"]
    assert "myths.lab.storage.store" in seen["myths.lab.myth"]
    assert {"myths.saliency", "myths.lab.myth"} <= seen["myths.suite"]
    assert "myths.saliency.tables" in seen["myths.saliency"]


def test_only_the_lab_writes_figures_to_files():
    """A trial draws nothing: what a myth draws goes through the lab, to the folder of the run or of the try."""
    writing = {
        module
        for module, tree in parsed().items()
        if any(isinstance(node, ast.Attribute) and node.attr in ("savefig", "imsave") for node in ast.walk(tree))
    }
    assert "myths.lab.pictures" in writing
    assert {rank(module) for module in writing} == {LAB}


# --- functions -----------------------------------------------------------------------------------

LONGEST = 50
"""Lines of a function, its signature and docstring included."""
MOST_PARAMETERS = 6
WIDE = {
    "myths.run", "myths.cli.run", "myths.cli.table_", "myths.cli.try_", "myths.cli.launch_slurm",
    "myths.saliency.notebook.attack", "myths.saliency.notebook.explain",
    "myths.lab.vision.training.fit", "myths.forgetting.claims._pruning",
}  # fmt: skip
"""Functions with more parameters: options that a user may leave out, what a training takes, and rows of claims."""
LIKE_TORCH = {"myths.saliency.attributions.rules._attention", "myths.saliency.attributions.rules._instance_norm"}
"""They stand for functions of torch and take what these take."""
KERNELS = "myths.lightweight_conv.triton_kernels."
"""They take pointers, strides and constants one by one, as Triton's compiler requires."""


def functions():
    """Every function, by module and name."""
    for module, tree in parsed().items():
        yield from ((f"{module}.{node.name}", node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_a_function_fits_on_a_screen():
    assert {name for name, node in functions() if node.end_lineno - node.lineno - _docstring_lines(node) >= LONGEST} == set()


def _docstring_lines(node):
    first = node.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return first.end_lineno - first.lineno + 1 if is_docstring else 0


def test_what_travels_together_is_one_argument():
    wide = set()
    for name, node in functions():
        named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if len(named) - (bool(named) and named[0].arg in ("self", "cls")) > MOST_PARAMETERS:
            wide.add(name)
    assert {name for name in wide if not name.startswith(KERNELS)} == WIDE | LIKE_TORCH
