"""What may be committed and what may not."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import myths
from myths.lab.analysis import analyze, write
from myths.lab.errors import CannotStart
from myths.lab.storage import provenance
from myths.lab.storage.publish import publish, unpublishable_reason
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import TrialRecord
from tests.lab.report import coin

DICE = replace(coin.DRAWN, name="fair-dice", number=9, belief="Dice | are *fair* <b>")
MYTHS = (coin.DRAWN, DICE)


@pytest.fixture
def run(tmp_path):
    made = coin.make_run(tmp_path / "local" / "cpu-laptop")
    folder = made.path / "fair_coin"
    for name in ("arrays/x.npz", "pictures/p.png", "errors/e.txt", "stray.txt", "old.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    (made.path / ".lock").touch()
    return made


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def edit(run, change):
    metadata = run.metadata()
    change(metadata)
    (run.path / "run.json").write_text(json.dumps(metadata))


def test_what_is_derived_and_the_trials_are_copied_and_nothing_else(run, tmp_path):
    folder = publish(run, tmp_path / "published", MYTHS)
    assert folder == tmp_path / "published" / "cpu-laptop"
    assert files(folder) == [f"fair_coin/{name}" for name in ("claims.csv", "figures/heads.svg", "tosses.csv", "trials.jsonl")] + [
        "run.json"
    ]
    assert analyze(coin.COIN, RunFolder(folder)).claim_results == analyze(coin.COIN, run).claim_results


def test_publishing_twice_changes_nothing(run, tmp_path):
    folder = publish(run, tmp_path / "published", MYTHS)
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    publish(run, tmp_path / "published", MYTHS)
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


def test_only_the_myths_of_the_run_are_replaced(run, tmp_path):
    folder = publish(run, tmp_path / "published", MYTHS)
    kept = (folder / "fair_coin" / "trials.jsonl").read_bytes()
    later = coin.make_run(
        tmp_path / "later" / "cpu-laptop", myth=DICE, identity="20260202T000000-cd34", data={"dice": {"note": "", "sha256": "cd" * 32}}
    )
    publish(later, tmp_path / "published", MYTHS)
    assert (folder / "fair_coin" / "trials.jsonl").read_bytes() == kept
    assert (folder / "fair_dice" / "trials.jsonl").exists()
    metadata = RunFolder(folder).metadata()
    assert [i["id"] for i in metadata["invocations"]] == ["20260101T000000-ab12", "20260202T000000-cd34"]
    assert set(metadata["data"]) == {"coins", "dice"}

    again = coin.make_run(tmp_path / "again" / "cpu-laptop", heads={"ducat": (9000,)}, identity="20260303T000000-ef56")
    publish(again, tmp_path / "published", MYTHS)
    assert len(coin.lines(folder / "fair_coin" / "trials.jsonl")) == 1
    assert [i["id"] for i in RunFolder(folder).metadata()["invocations"]] == ["20260202T000000-cd34", "20260303T000000-ef56"]
    assert not list(folder.glob(".*"))


def test_results_published_since_a_run_was_continued_are_not_replaced(run, tmp_path):
    folder = publish(run, tmp_path / "published", MYTHS)
    mine, theirs = (Path(shutil.copytree(run.path, tmp_path / who / "cpu-laptop")) for who in ("mine", "theirs"))
    added = coin.make_run(tmp_path / "added" / "cpu-laptop", heads={"ducat": (9000,)}, identity="20260303T000000-ef56")
    lines = "fair_coin/trials.jsonl"
    (theirs / lines).write_text((theirs / lines).read_text() + (added.path / lines).read_text())
    edit(RunFolder(theirs), lambda metadata: metadata["invocations"].extend(added.metadata()["invocations"]))
    publish(RunFolder(theirs), tmp_path / "published", MYTHS)
    before = (folder / "fair_coin" / "trials.jsonl").read_bytes()
    with pytest.raises(CannotStart, match=r"fair_coin has 1 result that .* lacks: it was published again after run 'cpu-laptop' continued"):
        publish(RunFolder(mine), tmp_path / "published", MYTHS)
    assert (folder / "fair_coin" / "trials.jsonl").read_bytes() == before


def test_a_failure_made_good_is_left_out_and_another_stays(run, tmp_path):
    store, made = run.store(coin.COIN), "20260101T000000-ab12"
    store.append(TrialRecord(coin.Toss(coin="ducat", times=10_000), "failed", invocation=made, error="rolled under the table"))
    store.append(TrialRecord(coin.Toss(coin="crown"), "failed", invocation=made, error="lost"))
    published = coin.lines(publish(run, tmp_path / "published", MYTHS) / "fair_coin" / "trials.jsonl")
    assert [line["error"] for line in published if line["status"] == "failed"] == ["lost"]


def test_a_run_without_results_is_refused(tmp_path):
    for heads in (None, {}):
        run = RunFolder(tmp_path / "none") if heads is None else coin.make_run(tmp_path / "local" / "empty", heads=heads)
        with pytest.raises(CannotStart, match="no results"):
            publish(run, tmp_path / "published", MYTHS)


@pytest.mark.parametrize(
    ("changes", "message"), [({"dirty": True}, "uncommitted"), ({"commit": None, "dirty": None}, "outside a git checkout")]
)
def test_a_run_from_no_clean_commit_is_refused(tmp_path, changes, message):
    run = coin.make_run(tmp_path / "local" / "cpu-laptop", **changes)
    with pytest.raises(CannotStart, match=message):
        publish(run, tmp_path / "published", MYTHS)
    assert not (tmp_path / "published").exists()


def test_the_commit_is_looked_for_where_the_package_lies():
    assert Path(myths.__file__).parents[1] == provenance.ROOT


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A clean checkout that the suite seems to run from."""
    root = tmp_path / "checkout"
    (root / "myths").mkdir(parents=True)
    (root / "results").mkdir()
    for name in ("myths/__init__.py", "README.md", "results/README.md", ".gitignore"):
        (root / name).write_text("ignored.txt\n")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    monkeypatch.setattr(provenance, "ROOT", root)
    return root


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("cpu-quick.tar.gz", False),  # what `myths submit` leaves
        ("notes/todo.txt", False),
        ("results/README.md", False),  # what `myths publish` changes
        ("results/published/cpu-quick/run.json", False),
        ("myths/ignored.txt", False),
        ("README.md", True),
        ("myths/__init__.py", True),
        ("myths/new_module.py", True),
    ],
)
def test_what_cannot_change_a_number_keeps_a_checkout_clean(file, counts, checkout, run):
    assert (provenance.commit()["dirty"], unpublishable_reason(run)) == (False, None)
    (checkout / file).parent.mkdir(parents=True, exist_ok=True)
    (checkout / file).write_text("new\n")
    assert provenance.commit()["dirty"] is counts
    assert provenance.changes() == [file] * counts
    assert unpublishable_reason(run) == (f"uncommitted changes in {file}" if counts else None)


def test_what_keeps_a_run_from_being_published_is_known_when_it_starts(checkout, tmp_path, monkeypatch):
    dirty = coin.make_run(tmp_path / "local" / "dirty", dirty=True)
    assert "'dirty' has trials made from uncommitted changes. Use a different --run" in unpublishable_reason(dirty)
    monkeypatch.setattr(provenance, "_git", lambda *words: "f" * 40 if words[0] == "rev-parse" else None)
    assert provenance.commit()["dirty"]  # git cannot tell: not clean
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert "does not run from a git checkout" in unpublishable_reason(dirty)


def test_a_dirty_invocation_that_made_nothing_is_no_matter(run, tmp_path):
    run.add_invocation("cpu", coin.invocation("laptop", "20260404T000000-aaaa", dirty=True), {})
    assert publish(run, tmp_path / "published", MYTHS).exists()


def test_trials_of_an_unknown_invocation_are_refused(run, tmp_path):
    edit(run, lambda metadata: metadata["invocations"].clear())
    with pytest.raises(CannotStart, match=r"Restore run\.json"):
        publish(run, tmp_path / "published", MYTHS)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("/home/someone/data", "a path"),
        ("read from /mnt/big/cifar10.npz today", "a path"),
        ("C:\\data", "a path"),
        ("~/data/x", "a path"),
        ("file:///x", "a path"),
        ("failed at /pytorch/aten/src/x.cu, read /data/pytorch/aten/y", "a path"),
        ("someone@example.org", "an email address"),
        ("made by prof-plum", "the name of a user"),
    ],
)
def test_what_tells_of_places_and_people_is_refused(run, tmp_path, monkeypatch, text, what):
    monkeypatch.setattr("getpass.getuser", lambda: "prof-plum")
    edit(run, lambda metadata: metadata["data"]["coins"].update(note=text))
    with pytest.raises(CannotStart, match=what):
        publish(run, tmp_path / "published", MYTHS)


def test_a_host_name_by_its_key_is_refused(run, tmp_path):
    edit(run, lambda metadata: metadata["invocations"][0]["machine"].update(hostname="anything"))
    with pytest.raises(CannotStart, match="identifies the machine"):
        publish(run, tmp_path / "published", MYTHS)


def test_an_error_with_a_path_is_refused(run, tmp_path):
    run.store(coin.COIN).append(
        TrialRecord(coin.Toss(coin="crown"), "failed", invocation="20260101T000000-ab12", error="no file /home/x/y")
    )
    with pytest.raises(CannotStart, match="Re-run the trial"):
        publish(run, tmp_path / "published", MYTHS)


@pytest.mark.parametrize(
    "text",
    [
        'failed at "/pytorch/aten/src/ATen/native/cuda/AdaptiveAveragePooling.cu":532, please report',
        "https://example.org/a/b.tar.gz",
        "1,000 images/s at 3/4 of the size",
        "in 40…60 %",
        "precision@5",
        "GeForce / Quadro",
    ],
)
def test_ordinary_text_is_no_path(run, tmp_path, text):
    edit(run, lambda metadata: metadata["data"]["coins"].update(note=text))
    assert publish(run, tmp_path / "published", MYTHS).exists()


def test_machines_do_not_mix(run, tmp_path):
    publish(run, tmp_path / "published", MYTHS)
    edit(run, lambda metadata: metadata.update(machine_class="h200"))
    with pytest.raises(CannotStart, match="machine class"):
        publish(run, tmp_path / "published", MYTHS)


def test_a_published_run_is_not_published_again(run, tmp_path):
    folder = publish(run, tmp_path / "published", MYTHS)
    with pytest.raises(CannotStart, match="already published"):
        publish(RunFolder(folder), tmp_path / "published", MYTHS)


def test_a_text_with_a_line_separator_stays_in_one_line(run, tmp_path):
    file = run.path / "fair_coin/trials.jsonl"
    first, *rest = file.read_text(encoding="utf-8").splitlines(keepends=True)
    stored = json.loads(first)
    stored["rows"][0]["words"] = "one\u2028two"
    file.write_text(json.dumps(stored, ensure_ascii=False) + "\n" + "".join(rest), encoding="utf-8")
    published = publish(run, tmp_path / "published", MYTHS) / "fair_coin/trials.jsonl"
    assert len(published.read_text(encoding="utf-8").rstrip("\n").split("\n")) == 1 + len(rest)


def test_what_became_empty_is_no_longer_there(run):
    write(analyze(coin.DRAWN, run))
    files_before = files(run.path / "fair_coin")
    assert {"tosses.csv", "figures/heads.svg"} <= set(files_before)
    nothing = replace(coin.DRAWN, tables={"tosses": lambda results: results.frame(coin.Toss).iloc[:0]}, figures={"heads": lambda _: None})
    write(analyze(nothing, run))
    assert set(files_before) - set(files(run.path / "fair_coin")) == {"tosses.csv", "figures/heads.svg"}


def test_a_damaged_sidecar_of_a_data_set_hides_no_result(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "coins.npz").write_bytes(b"")
    (tmp_path / "data" / "coins.json").write_text('{"source": ')
    assert analyze(coin.DRAWN, run).records
