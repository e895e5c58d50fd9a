"""Read a graph of the user: an edge list with one pair of node names per line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from myths.lab.errors import UsageError

HEADER = ("source", "target")
MAX_NODES = 64
MIN_NODES = 4


def is_edge_list(path: Path) -> bool:
    """Return whether a CSV file is an edge list: its first line is two whole numbers or names the columns source and target."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = [cell.strip() for cell in next(csv.reader(file), [])]
    except (OSError, ValueError, csv.Error):
        return False
    return set(HEADER) <= {cell.lower() for cell in first} or (len(first) == 2 and all(cell.isdecimal() for cell in first))


def read(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an undirected, connected graph without loops: ``nodes`` (names) and ``edges`` (pairs of node numbers).

    Args:
        path: A CSV file with two columns, with or without the header ``source,target``. Nodes are numbered as they appear.

    Raises:
        UsageError: The file is no such graph; the message names the line.
    """
    numbers: dict[str, int] = {}
    edges: dict[frozenset[int], int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [
                (i, [cell.strip() for cell in cells]) for i, cells in enumerate(csv.reader(file), start=1) if any(map(str.strip, cells))
            ]
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as CSV ({error}); expected an edge list with the columns source and target") from error
    columns = [cell.lower() for cell in lines[0][1]]
    if set(HEADER) <= set(columns) and tuple(columns) != HEADER:
        raise UsageError(
            f"{path} has the columns {', '.join(lines[0][1])}; expected source and target only, in this order: edges have no direction and "
            "no weight"
        )
    for i, cells in lines[tuple(cell.lower() for cell in lines[0][1]) == HEADER :]:
        if len(cells) != 2 or not all(cells):
            raise UsageError(f"{path}, line {i}: expected two nodes, got {len([cell for cell in cells if cell])}")
        first, second = (numbers.setdefault(cell, len(numbers)) for cell in cells)
        if first == second:
            raise UsageError(
                f"{path}, line {i}: {cells[0]} is connected to itself; a wiring has no self-edges: every node reads itself anyway"
            )
        if (before := edges.setdefault(frozenset((first, second)), i)) != i:
            raise UsageError(
                f"{path}, line {i}: repeats the edge {cells[0]} – {cells[1]} of line {before}; edges have no direction: list each once"
            )
        if len(numbers) > MAX_NODES:
            raise UsageError(f"{path}, line {i}: node {cells[1]} is number {len(numbers)}; expected at most {MAX_NODES} nodes")
    if len(numbers) < MIN_NODES:
        raise UsageError(f"{path} has {len(numbers)} nodes; expected {MIN_NODES} to {MAX_NODES}")
    pairs = np.array([sorted(edge) for edge in edges], dtype=np.int64)
    _check_connected(path, pairs, list(numbers))
    return {"nodes": np.array(list(numbers)), "edges": pairs}


def holds_graph(names: tuple[str, ...]) -> bool:
    """Return whether arrays with these names are a graph."""
    return set(names) == {"nodes", "edges"}


def _check_connected(path: Path, pairs: np.ndarray, names: list[str]) -> None:
    reached, before = {0}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {int(end) for pair in pairs for end in pair if reached & set(pair.tolist())}
    if len(reached) < len(names):
        other = next(name for i, name in enumerate(names) if i not in reached)
        raise UsageError(f"{path} is not connected: no path leads from {names[0]} to {other}; add one component at a time")
