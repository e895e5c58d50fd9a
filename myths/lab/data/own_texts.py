"""Takes in parallel texts of the user's: a folder with train, val and test in two languages, a sentence a line."""

from __future__ import annotations

import re
from pathlib import Path

from myths.lab.data import prepared
from myths.lab.data.prepared import Prepared
from myths.lab.errors import CannotStart, UsageError

SPLITS = ("train", "val", "test")


def texts_in(folder: Path) -> dict[str, Path]:
    """The files of a folder that are named SPLIT.LANGUAGE, such as train.de, by that name."""
    pattern = re.compile(rf"({'|'.join(SPLITS)})\.[a-z]{{2,3}}")
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and pattern.fullmatch(path.name)}


def add_texts(name: str, folder: Path) -> Prepared:
    """Copies them into prepared form as NAME.SPLIT.LANGUAGE; gives the first part.

    Raises UsageError unless there are all of ``SPLITS`` in the same two languages, in UTF-8, line by line translations of each other;
    CannotStart when they cannot be read or written.
    """
    found = texts_in(folder)
    languages = sorted({file.partition(".")[2] for file in found})
    expected = [f"{split}.{language}" for split in SPLITS for language in languages]
    if len(languages) != 2 or sorted(found) != sorted(expected):
        raise UsageError(
            f"{folder} holds {', '.join(found)}: parallel texts are {', '.join(SPLITS)} in two languages, such as train.de and train.en, "
            "six files in all"
        )
    content = {file: _sentences(path) for file, path in found.items()}
    for split in SPLITS:
        one, other = (content[f"{split}.{language}"] for language in languages)
        if len(one) != len(other) or not one:
            raise UsageError(
                f"{split}.{languages[0]} has {len(one):,} lines and {split}.{languages[1]} {len(other):,}: "
                "line i of one is the translation of line i of the other"
            )
    for file, sentences in content.items():
        _save(f"{name}.{file}", sentences, file)
    return prepared.require(f"{name}.{expected[0]}")


def languages_of(name: str) -> tuple[str, str]:
    """The two languages of own parallel texts, in the order of the alphabet: the first is translated into the second.

    Raises CannotStart when there are no such texts.
    """
    languages = sorted({found.name.rpartition(".")[2] for found in prepared.every() if found.name.startswith(f"{name}.train.")})
    if len(languages) != 2:
        raise CannotStart(
            f"there are no parallel texts {name}: put train, val and test in two languages (train.de, train.en, …) into a folder, "
            f"then `myths data add {name} FOLDER`"
        )
    return languages[0], languages[1]


def _sentences(path: Path) -> list[str]:
    try:
        content = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 ({error.reason} at byte {error.start:,})") from error
    except OSError as error:
        raise CannotStart(f"{path} cannot be read ({error.strerror or error})") from error
    # Line feeds alone end a line, as where the texts are read.
    return content.removesuffix("\n").split("\n") if content else []


def _save(name: str, sentences: list[str], source: str) -> None:
    path = prepared.roots()[0] / "text" / f"{name}.txt"
    with prepared.writing(path) as temporary:
        temporary.write_bytes("".join(f"{sentence}\n" for sentence in sentences).encode())
    sha256 = prepared.folder_sha256([path], path.parent)
    prepared.write_sidecar(path.with_suffix(".json"), source=source, note="own texts", sha256=sha256)
