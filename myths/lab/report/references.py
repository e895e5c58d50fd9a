"""Cite the papers of the claims and the suite as BibTeX."""

from __future__ import annotations

import importlib.metadata
import re
import unicodedata
from collections.abc import Iterable, Mapping

from myths.lab.myth import Paper
from myths.lab.report.latex import escaped


def bibtex(papers: Iterable[Paper]) -> str:
    """Return BibTeX entries of the papers, without duplicates, and of the suite."""
    entries: dict[str, str] = {}
    for paper in sorted(set(papers), key=lambda p: (p.year, p.authors, p.title)):
        key = _key(paper, entries)
        address = re.sub(r"[{}\\\s]", "", paper.url)
        authors = " and ".join(re.split(r",\s+", _bib(paper.authors)))
        found_at = [f"howpublished = {{{_bib(paper.venue)}}}", f"url = {{{address}}}"]
        entries[key] = _entry("misc", key, authors, paper.title, str(paper.year), *found_at)
    suite = "Seven Myths: a reproducibility benchmark suite for beliefs of machine-learning folklore"
    own = _entry("misc", "sevenmyths", "{The Seven Myths authors}", suite, "", f"note = {{Version {_version()}}}")
    return "\n".join([*entries.values(), own])


def _entry(kind: str, key: str, authors: str, title: str, year: str, *more: str) -> str:
    year_line = [f"year = {{{year}}}"] if year else []
    lines = [f"author = {{{authors}}}", f"title = {{{{{_bib(title)}}}}}", *year_line, *more]  # double braces keep capitals
    return f"@{kind}{{{key},\n" + "".join(f"  {line},\n" for line in lines) + "}\n"


def _bib(text: str) -> str:
    """Escape text for a BibTeX field. BibTeX counts braces even after a backslash, so braces are removed."""
    return escaped(re.sub(r"[{}]", "", text))


def _key(paper: Paper, taken: Mapping[str, str]) -> str:
    """Return a citation key: last name of the first author, year, first long word of the title, as in ``ghorbani2019interpretation``."""
    family = paper.authors.split(",")[0].split()[-1:] or ["paper"]
    word = next((w for w in re.findall(r"\w+", paper.title) if len(w) > 3), "")
    plain = unicodedata.normalize("NFKD", f"{family[0]}{paper.year}{word}").encode("ascii", "ignore").decode().lower()
    key = re.sub(r"[^a-z0-9]", "", plain)
    while key in taken:
        key += "x"
    return key


def _version() -> str:
    try:
        return importlib.metadata.version("seven-myths")
    except importlib.metadata.PackageNotFoundError:
        return "unreleased"
