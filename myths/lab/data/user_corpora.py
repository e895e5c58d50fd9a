"""Add parallel corpora of the user: a folder with train, val and test in two languages, one sentence per line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from myths.lab.data import prepared
from myths.lab.data.layout import SPLIT_NAMES
from myths.lab.data.prepared import PreparedDataset
from myths.lab.errors import CannotStart, UsageError

SPLITS = ("train", "val", "test")

FEW_PAIRS = 1000
"""Number of training pairs below which a translation model hardly learns anything."""

_FILE = re.compile(rf"({'|'.join(SPLIT_NAMES)})\.([a-z]{{2,3}}(?:[-_][a-z0-9]{{1,8}})*)(?:\.txt)?", re.IGNORECASE)
_NO_LANGUAGES = frozenset(
    ("bmp", "bz", "csv", "db", "doc", "gif", "gz", "ini", "jpg", "log", "md", "npy", "npz", "pdf", "png", "pth", "py", "rar", "sql")
) | {"tar", "tgz", "tif", "tsv", "txt", "xml", "xz", "yml", "zip"}
"""File suffixes that look like language codes."""


def texts_in(folder: Path) -> dict[str, Path]:
    """Find the files of a parallel corpus in a folder.

    Args:
        folder: The folder. Subfolders are ignored.

    Returns:
        Name in prepared form, such as "train.pt-br" -> file. Splits are named as for images, languages by their code, optionally with
        script or region ("pt-BR", "zh_Hant"). The suffix ".txt" is optional.

    Raises:
        UsageError: Two files are the same split of the same language.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        named = _FILE.fullmatch(path.name)
        if named is None or not path.is_file() or named[2].lower() in _NO_LANGUAGES:
            continue
        name = f"{SPLIT_NAMES[named[1].lower()]}.{language_code(named[2])}"
        if name in found:
            raise UsageError(f"{found[name].name} and {path.name} in {folder} are the same part of one language: keep one of them")
        found[name] = path
    return found


def language_code(given: str) -> str:
    """Return the canonical spelling of a language code: lower case with dashes, such as "pt-br"."""
    return given.lower().replace("_", "-")


def add_texts(name: str, folder: Path, settings: Mapping[str, str]) -> PreparedDataset:
    """Copy a parallel corpus into prepared form: files NAME.SPLIT.LANGUAGE and a NAME.json with the languages.

    Byte order marks, carriage returns and pairs that are blank on both sides are removed.

    Args:
        name: Name of the dataset.
        folder: Folder with all of ``SPLITS`` in two languages, in UTF-8, line-aligned.
        settings: ``source`` and ``target``. Required for more than two languages. Default for two: the alphabetically first code is the
            source.

    Raises:
        UsageError: A split is missing or empty, its two sides are not aligned, or there is only one validation pair; the message names
            file and line.
        CannotStart: The files cannot be read or written.
    """
    found = texts_in(folder)
    source, target, chosen_by = _direction(folder, found, settings)
    names = [f"{split}.{language}" for split in SPLITS for language in (source, target)]
    if absent := [file for file in names if file not in found]:
        raise UsageError(f"{folder} has no {', '.join(absent)}: parallel texts are {', '.join(SPLITS)} in two languages, six files in all")
    content = {file: _sentences(found[file]) for file in names}
    blank = 0
    for split in SPLITS:
        files = (f"{split}.{source}", f"{split}.{target}")
        pairs, dropped = _paired([content[file] for file in files], [found[file] for file in files])
        if split == "val" and len(pairs) < 2:
            raise UsageError(f"{found[files[0]]} has one sentence pair: the interval of the validation loss requires at least two")
        blank += dropped
        for side, file in enumerate(files):
            content[file] = [pair[side] for pair in pairs]
    for file in names:
        _save(f"{name}.{file}", content[file], found[file].name)
    sidecar = prepared.roots()[0] / "text" / f"{name}.json"
    counts = {split: len(content[f"{split}.{source}"]) for split in SPLITS}
    prepared.write_sidecar(
        sidecar,
        source=folder.name,
        note=f"user parallel texts, {source} to {target}: {counts['train']:,} pairs to train on",
        sha256=prepared.folder_sha256(prepared.parts_of_texts(sidecar), sidecar.parent),
        languages=[source, target],
        examples=counts,
        summary=_summary(source, target, chosen_by, content, blank),
    )
    return prepared.require(name)


def languages_of(name: str) -> tuple[str, str]:
    """Return source and target language of a parallel corpus of the user.

    Raises:
        CannotStart: There is no such corpus.
    """
    found = prepared.find(name)
    if found and found.kind != "texts":
        raise CannotStart(f"{name} is a dataset of kind {found.kind}, not parallel texts")
    if found is None or found.path is None:
        raise CannotStart(
            f"there are no parallel texts {name}: put train, val and test in two languages (train.de, train.en, …) into a folder, "
            f"then `myths data add {name} FOLDER`"
        )
    source, target = json.loads(found.path.read_text(encoding="utf-8"))["languages"]
    return str(source), str(target)


def _direction(folder: Path, found: Mapping[str, Path], settings: Mapping[str, str]) -> tuple[str, str, str]:
    """Return source, target, and how they were chosen."""
    if unknown := sorted(set(settings) - {"source", "target"}):
        raise UsageError(f"{unknown[0]}: parallel texts take source=LANGUAGE and target=LANGUAGE")
    here = sorted({file.partition(".")[2] for file in found})
    given = {side: language_code(language) for side, language in settings.items()}
    if absent := [language for language in given.values() if language not in here]:
        raise UsageError(f"{folder} has no files of the language {absent[0]}; it has {', '.join(here)}")
    if len(set(given.values())) < len(given):
        raise UsageError(f"source and target are both {given['source']}: give two languages")
    others = [language for language in here if language not in given.values()]
    if len(given) == 2:
        return given["source"], given["target"], "as you said"
    if len(here) != 2:
        more = "say which with source=LANGUAGE target=LANGUAGE" if len(here) > 2 else "parallel texts need two"
        raise UsageError(f"{folder} has texts in {', '.join(here)}: {more}")
    if given:
        source = given.get("source", others[0])
        return source, given.get("target", others[0]), "as you said"
    return here[0], here[1], f"by the alphabet; for the other way add them again with source={here[1]} target={here[0]}"


def _sentences(path: Path) -> list[str]:
    """Return the lines of a file without line ends, byte order mark and trailing blank lines."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CannotStart(f"{path} cannot be read ({error.strerror or error})") from error
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UsageError(f"{path} is UTF-16: save it as UTF-8")
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line:,}, is not UTF-8 ({error.reason} at byte {error.start:,}): save it as UTF-8") from error
    if "\0" in content:
        line = content[: content.index("\0")].count("\n") + 1
        raise UsageError(f"{path}, line {line:,}, has a zero byte: this is no text, or it is UTF-16; save it as UTF-8")
    if "\n" not in content:  # line ends of classic Mac OS
        content = content.replace("\r", "\n")
    # Only line feeds end a line, as in text_files.lines. A carriage return before a line feed is removed.
    lines = [line.removesuffix("\r") for line in content.split("\n")]
    if broken := next((i for i, line in enumerate(lines, 1) if "\r" in line), None):
        raise UsageError(f"{path}, line {broken:,}, has a carriage return inside: end every line with a line feed")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise UsageError(f"{path} is empty: put a sentence on each line")
    return lines


def _paired(sides: list[list[str]], files: list[Path]) -> tuple[list[tuple[str, str]], int]:
    """Return the pairs of one split, and the number of removed pairs that are blank on both sides."""
    one, other = sides
    for i, pair in enumerate(zip(one, other, strict=False)):
        blank = [not side.strip() for side in pair]
        if blank[0] != blank[1]:
            empty, full = files if blank[0] else files[::-1]
            raise UsageError(
                f"{empty}, line {i + 1:,}, is blank and line {i + 1:,} of {full.name} is not: fill it in, or delete both lines"
            )
    if len(one) != len(other):
        raise UsageError(
            f"{files[0].name} has {len(one):,} lines and {files[1].name} {len(other):,}: "
            "line i of one is the translation of line i of the other"
        )
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a.strip()]
    return pairs, len(one) - len(pairs)


def _summary(source: str, target: str, chosen_by: str, content: Mapping[str, list[str]], blank: int) -> list[str]:
    from myths.lab.language.tokenizers import tokenizer_for

    counts = ", ".join(f"{split} {len(content[f'{split}.{source}']):,}" for split in SPLITS)
    chosen = tokenizer_for(target)
    lines = [
        f"{source} is translated into {target} ({chosen_by})",
        f"pairs: {counts}",
        f"BLEU counts the words of sacrebleu's tokenizer {chosen.name}: {chosen.reason}",
    ]
    if blank:
        lines.append(f"{blank:,} pairs that are blank on both sides are left out")
    if (n := len(content[f"train.{source}"])) < FEW_PAIRS:
        lines.append(f"{n:,} training pairs are few: expect a BLEU near 0 and no difference between layers; bring {FEW_PAIRS:,} or more")
    known = set(zip(content[f"train.{source}"], content[f"train.{target}"], strict=True))
    for split in ("val", "test"):
        twice = sum(pair in known for pair in zip(content[f"{split}.{source}"], content[f"{split}.{target}"], strict=True))
        if twice:
            lines.append(f"{twice:,} pairs of {split} are in train too: what is measured on them is memory")
    return lines


def _save(name: str, sentences: list[str], source: str) -> None:
    path = prepared.roots()[0] / "text" / f"{name}.txt"
    with prepared.writing(path) as temporary:
        temporary.write_bytes("".join(f"{sentence}\n" for sentence in sentences).encode())
    sha256 = prepared.folder_sha256([path], path.parent)
    prepared.write_sidecar(path.with_suffix(".json"), source=source, note="user texts", sha256=sha256)
