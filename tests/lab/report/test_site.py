"""The pages: well formed, self-contained, safe, the same for the same results, and useful with none."""

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from myths.lab.analysis import analyze
from myths.lab.claim_definition import definition
from myths.lab.ranking import best_first
from myths.lab.report import formatting, run_view, site
from myths.lab.storage.store import TrialRecord
from myths.lab.trial import canonical
from tests.lab.report import coin

VOID = {"meta", "link", "br", "img", "hr", "input"}
VARIANT = {"coins": {"source": "the mint", "note": "guilders are replicas", "sha256": "ab" * 32, "state": "modified"}}


class Checker(HTMLParser):
    """Collects ids, addresses and visible text; notes tags that do not match."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.ids, self.addresses, self.tags, self.texts = [], [], [], [], [], []
        self.feed(text)
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [v for k, v in attrs if k == "id"]
        self.addresses += [(tag, k, v) for k, v in attrs if k in ("src", "href", "xlink:href", "action", "data", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    laptop = coin.analysis(root / "local" / "cpu-laptop", dirty=True, data=VARIANT, myth=coin.DRAWN)
    pictures = laptop.run.path / "fair_coin" / "pictures"
    pictures.mkdir()
    (pictures / "both_sides.png").write_bytes(b"\x89PNG")
    gpu = coin.analysis(root / "published" / "h200-gpu", "gpu", {**coin.HEADS, "guilder": (5300,), "franc": (5300,)}, myth=coin.DRAWN)
    same = coin.analysis(root / "published" / "cpu-laptop", "laptop", myth=coin.DRAWN)
    return [laptop, coin.analysis(root / "local" / "cpu-quick", "quick", {"button": (5500,)}, myth=coin.DRAWN), gpu, same]


@pytest.fixture(scope="module")
def pages(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    assert site.build(results, folder) == folder / "index.html"
    return {path.name: path.read_text() for path in sorted(folder.glob("*.html"))}, folder


@pytest.fixture(scope="module", params=["index.html", "fair-coin.html", "compare-local-cpu-laptop-published-h200-gpu.html"])
def page(request, pages):
    return Checker(pages[0][request.param])


def test_a_page_is_well_formed_and_its_ids_are_unique(page):
    assert page.wrong == []
    assert len(page.ids) == len(set(page.ids))


def test_nothing_comes_from_elsewhere(pages, page):
    ids = {"": page.ids, **{name: Checker(text).ids for name, text in pages[0].items()}}
    for tag, attribute, address in page.addresses:
        if tag == "a" and address.startswith("https://arxiv.org"):
            continue
        assert not re.match(r"(\w+:)?//|javascript:", address), (tag, attribute, address)
        other, hash_, fragment = address.partition("#")
        if hash_:
            assert fragment in ids[other], address
        elif not address.startswith("data:"):
            assert (pages[1] / address.partition("#")[0]).exists(), address
    for text in pages[0].values():
        assert not re.search(r"@import|url\((?!#)", text)


def test_hostile_text_is_only_text(page):
    assert not [tag for tag, attributes in page.tags if any(k.startswith("on") for k in attributes)]
    assert all(not attributes for tag, attributes in page.tags if tag == "script")  # our own only: none names a source
    assert sum(tag == "script" for tag, _ in page.tags) <= 1


def test_a_hostile_statement_is_shown_as_it_is(pages):
    assert coin.HOSTILE in Checker(pages[0]["fair-coin.html"]).text


def test_headings_landmarks_and_alternatives(page):
    names = [tag for tag, _ in page.tags]
    assert names.count("main") == names.count("h1") == names.count("footer") == 1
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert all(attributes.get("aria-label") or attributes.get("aria-hidden") for tag, attributes in page.tags if tag == "svg")


def test_every_claim_says_all_that_a_reader_needs(pages, results):
    text = Checker(pages[0]["fair-coin.html"]).text
    for claim_result in results[0].claim_results:
        assert claim_result.claim.id in text
        assert claim_result.claim.criterion_text in text
    wanted = (
        "read",
        "from memory",
        "reduced",
        "stand-in data",
        "over test examples",
        "n = 10,000",
        "the interval crosses the bound of the criterion",
    )
    seen = {j.verdict for each in results for j in each.claim_results}
    for said in (*wanted, *seen, "Discussion", "350,757", "myths run fair-coin --profile laptop", "uncommitted changes", "0123456789"):
        assert said in text, said
    assert "coins differs from the official dataset : guilders are replicas" in text
    assert "data:image/png;base64," in pages[0]["fair-coin.html"]


def test_the_front_page_counts_and_ranks(pages, results):
    text = Checker(pages[0]["index.html"]).text
    assert f"{run_view.intervals(results)} intervals at 95 %" in text
    assert "h200-gpu (published) gpu profile Abacus 3000, 2 cores also cpu-laptop (published)" in text
    assert "coins differs from the official dataset" in text
    assert str(results[2].judgment) == "leans refuted, aged"
    assert "Coins remember. The protocol of C1-guilder is reduced. Aged: C5-franc was reproduced." in text
    assert [d.run.path.parent.name + "/" + d.run.name for d in best_first(results)] == [
        "published/h200-gpu", "published/cpu-laptop", "local/cpu-laptop", "local/cpu-quick",
    ]  # fmt: skip


def test_the_front_page_has_the_number_of_another_run_for_a_primary_claim_without_one(tmp_path):
    best = coin.analysis(tmp_path / "published" / "cpu-laptop", "laptop", heads={"ducat": (5400, 5350, 5380)})
    other = coin.analysis(tmp_path / "published" / "cpu-night", "overnight", heads={"guilder": (5120,)})
    site.build([best, other], tmp_path / "pages")
    text = Checker((tmp_path / "pages" / "index.html").read_text()).text.replace("\u202f", " ")
    said = "not measured – not tested run cpu-night (published): 51.2 % [50.2, 52.2] over test examples, n = 10,000 reduced ≈ inconclusive"
    assert said in text
    assert "C1-guilder is not tested." in text
    assert "1 was not tested" in text
    site.build([best], tmp_path / "alone")
    assert "(published): 51.2" not in Checker((tmp_path / "alone" / "index.html").read_text()).text


def test_the_front_page_names_every_myth_and_answers_three_questions(results, tmp_path):
    others = (replace(coin.COIN, name="late-bird", number=2, belief="The early bird catches the worm."), coin.COIN)
    site.build(results[2:], tmp_path, others)
    text = Checker((tmp_path / "index.html").read_text()).text
    assert "0 of 1 belief refuted, or leaning that way. not run yet 1 ( 2 )" in text
    assert "1 of 1 further belief refuted, or leaning that way: ◕ leans refuted, aged “A coin has no memory of the side it lay on”" in text
    assert "common beliefs of machine learning: seven of one article, and 1 further belief." in text
    assert "Of 2 primary claims, 2 were reproduced. Strength of the numbers: 1 paper , 1 reduced" in text
    assert "Abacus 3000, 2 cores (belief 8)." in text
    assert "No belief has a decided claim on a GPU yet." in text
    row = text[text.index("“The early bird catches the worm”") :]
    words = ("not run yet", "To run them: myths run late-bird", "Further beliefs", "“A coin has no memory")
    assert sorted(words, key=row.index) == list(words)
    assert not (tmp_path / "late-bird.html").exists()


def test_the_seven_alone_have_no_further_part(results, tmp_path):
    one = (replace(coin.COIN, name="late-bird", number=7), replace(coin.COIN, name="early-bird", number=6))
    text = Checker(site.build([], tmp_path, one).read_text()).text
    assert "further" not in text.lower()
    assert "“A coin has no memory" in text


def test_without_runs_the_front_page_still_names_every_myth(tmp_path):
    page = Checker(site.build([], tmp_path, [coin.COIN]).read_text())
    assert page.wrong == []
    assert all(said in page.text for said in ("make quick", "A coin has no memory", "not run yet", "myths run fair-coin"))


def test_tables_go_with_the_report(pages, results):
    folder = pages[1] / "tables"
    assert (folder / "local-cpu-laptop" / "fair_coin" / "tosses.csv").read_text().count("\n") == 7
    assert (folder / "published-h200-gpu" / "fair_coin" / "claims.csv").exists()
    assert not list(folder.rglob("nothing.csv"))
    assert not list(results[2].run.path.rglob("*.svg"))  # a report writes nothing into the runs


def test_the_same_results_give_the_same_pages_wherever_they_lie(pages, results, tmp_path):
    site.build(list(reversed(results)), tmp_path)
    for name, text in pages[0].items():
        assert (tmp_path / name).read_text() == text
        assert str(results[0].run.path.parents[2]) not in text


def test_without_runs_the_page_says_what_to_type(tmp_path):
    page = Checker(site.build([], tmp_path).read_text())
    assert page.wrong == []
    assert "make quick" in page.text
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_run_without_results_still_has_its_page(tmp_path):
    empty = coin.analysis(tmp_path / "local" / "cpu-quick", "quick", {})
    site.build([empty], tmp_path / "report")
    page = Checker((tmp_path / "report" / "fair-coin.html").read_text())
    assert page.wrong == []
    assert "no trial of this run measures it" in page.text


def failing(path, **changes):
    """A run whose only trial failed."""
    run = coin.make_run(path, heads={}, **changes)
    run.store(coin.COIN).append(TrialRecord(coin.Toss(coin="ducat"), "failed", error="the coin rolled away"))
    return analyze(coin.COIN, run)


def older(path):
    """A run by a version of the suite whose trials mean something else today."""
    run = coin.make_run(path)
    file = path / coin.COIN.folder / "trials.jsonl"
    file.write_text(file.read_text().replace('"version": 1', '"version": 0'))
    return analyze(coin.COIN, run)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: coin.analysis(path, heads={}), ["No trial of this run has finished yet."]),
        (failing, ["No trial of this run finished: 1 failed.", "the coin rolled away"]),
        (older, ["The trials of this run were made by another version of the suite.", "Stored trials of another version, left out: 6"]),
    ],
)
def test_a_run_that_says_nothing_says_why(make, said, tmp_path):
    site.build([make(tmp_path / "published" / "cpu-laptop")], tmp_path / "report")
    front, page = (Checker((tmp_path / "report" / name).read_text()) for name in ("index.html", "fair-coin.html"))
    assert front.wrong == page.wrong == []
    assert said[0] in front.text
    assert all(sentence in page.text for sentence in said)
    assert "open" in front.text


def test_a_page_says_what_failed_and_what_was_skipped_at_the_claims_that_miss_it(tmp_path):
    euro = coin.Toss(coin="euro")
    myth = replace(coin.COIN, trials=lambda profile, seeds, data: [euro])
    skipped = [{"myth": myth.name, "trial": canonical(euro), "reason": "no euro is here: myths data get euro"}]
    heads = {"ducat": (5400, 5350), "button": (5500,)}
    run = coin.make_run(tmp_path / "local" / "cpu-laptop", heads=heads, skipped=skipped * 2)
    for name, seed, error in (("ducat", 7, "lost [/bold] <i>it</i>"), ("guilder", 0, "the worker process was ended by SIGABRT")):
        trial = coin.Toss(coin=name, seed=seed)
        run.store(myth).append(TrialRecord(trial, "failed", error=error, invocation=coin.invocation("laptop")["id"]))
    analysis = analyze(myth, run)
    said = {j.claim.id: j.reason for j in analysis.claim_results if j.estimate is None}
    assert said["C1-guilder"] == "1 required trial failed: worker process ended by SIGABRT (1)"
    assert said["C2-euro"] == "no euro is here: myths data get euro"
    site.build([analysis], tmp_path / "report")
    page = Checker((tmp_path / "report" / "fair-coin.html").read_text())
    assert page.wrong == []
    assert (
        "2 of 5 trials failed: lost [/bold] <i>it</i> (1), worker process ended by SIGABRT (1); first: Toss(coin=ducat, seed=7)"
        in page.text
    )
    assert "To re-run them: myths run fair-coin --profile laptop --run cpu-laptop" in page.text
    assert "1 trial could not run on this run’s machine: 1: no euro is here: myths data get euro" in page.text
    assert page.text.count("1 required trial failed: lost [/bold] <i>it</i> (1)") == 3  # C1, C6 and C7 have a number of fewer trials
    assert "C1-guilder" in page.text.split("Affected claims:")[1].split(".")[0]
    front = Checker((tmp_path / "report" / "index.html").read_text())
    assert "2 failed trials" in front.text


@pytest.mark.parametrize(("criterion", "said"), [(coin.at_least(60.0), "failed"), (coin.above(53.8), "undecided")])
def test_a_control_that_does_not_hold_is_the_first_thing_said(criterion, said, tmp_path):
    control = coin.claim("C6-control", "ducat", criterion, kind="control")
    myth = replace(coin.COIN, claims=(*coin.CLAIMS[:2], control))
    site.build([coin.analysis(tmp_path / "local" / "cpu-quick", myth=myth)], tmp_path / "report")
    other = {"failed": "undecided", "undecided": "failed"}[said]
    front = Checker((tmp_path / "report" / "index.html").read_text()).text
    assert f"1 {said} control" in front
    assert f"{other} control" not in front
    text = Checker((tmp_path / "report" / "fair-coin.html").read_text()).text
    assert text.index(f"1 {said} control") < text.index("Findings of the paper")
    assert f"{other} control" not in text


def test_every_number_leads_to_its_trials(pages, results):
    text = pages[0]["fair-coin.html"]
    ids = Checker(text).ids
    for record in results[2].records:
        assert f"published-h200-gpu-trial-{record.trial.id}" in ids
    assert 'href="#published-h200-gpu-claim-c1-ducat-from"' in text  # three trials
    guilder = next(r.trial.id for r in results[2].records if r.trial.coin == "guilder")
    assert f'class="big ours-number" href="#published-h200-gpu-trial-{guilder}"' in text
    assert "myths try fair-coin Toss coin=guilder times=10000" in text


def test_a_pages_order_is_a_readers(pages):
    text = pages[0]["fair-coin.html"]
    titles = ["Findings of the paper", "Trials", "Results", "Follow-up", "How to reproduce this run",
              "Provenance", "Footnotes", "References"]  # fmt: skip
    places = [text.index(": the belief</p>"), *(text.index(f">{title}</h") for title in titles)]
    assert places == sorted(places)


def test_footnotes_name_what_was_recalled(pages):
    text = Checker(pages[0]["fair-coin.html"]).text
    assert re.search(r"C1-guilder : 50.8\W+% \[50.6…51.0\] was quoted from memory, not read again \(Sec. 2, Fig. 3\)", text)


def test_two_folders_of_one_name_are_two_sections(tmp_path):
    one, other = (coin.analysis(tmp_path / root / "cpu-quick", "quick", {"button": (5500,)}) for root in ("a", "b"))
    site.build([one, other], tmp_path / "report")
    page = Checker((tmp_path / "report" / "fair-coin.html").read_text())
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize(("jobs", "said"), [(1, False), (2, True)])
def test_trials_that_ran_side_by_side_are_said_to(jobs, said, tmp_path):
    arguments = {"myths": [coin.COIN.name], "profile": "laptop", "seeds": None, "data": [], "jobs": jobs}
    site.build([coin.analysis(tmp_path / "published" / "a", arguments=arguments)], tmp_path / "pages")
    text = (tmp_path / "pages" / f"{coin.COIN.name}.html").read_text()
    assert ("up to 2 in parallel" in text) is said


def own_run(path, heads):
    """A run of coins, with the user's own given by --data."""
    arguments = {"myths": [coin.COIN.name], "profile": "laptop", "seeds": None, "data": ["mine"]}
    myth = replace(coin.COIN, summarize_user_data=lambda tables: "mine: 3 of 4 tosses may be dropped\n  look at toss 7 first")
    run = coin.make_run(path, heads=heads, myth=myth, arguments=arguments)
    lines = [json.loads(line) for line in (path / "fair_coin/trials.jsonl").read_text().splitlines()]
    (path / "fair_coin/trials.jsonl").write_text("".join(json.dumps({**line, "data": {"mine": "ab" * 32}}) + "\n" for line in lines))
    return analyze(myth, run)


def test_a_page_of_own_data_begins_with_what_was_found_and_how_to_find_it_again(tmp_path):
    site.build([own_run(tmp_path / "local" / "cpu-laptop", {"button": (5500,)})], tmp_path / "report")
    text = Checker((tmp_path / "report" / "fair-coin.html").read_text()).text
    hero, rest = text.split("Findings of the paper", 1)
    assert "mine: 3 of 4 tosses may be dropped" in hero
    assert "look at toss 7 first" in hero
    assert "not measured" not in rest.split("Results")[0]
    assert "your data" in rest
    assert "1 of your data" in rest
    assert "1 stand-in" not in rest
    commands = rest.split("How to reproduce this run")[1]
    assert commands.split()[:5] == ["myths", "data", "add", "mine", "PATH"]
    assert "myths run fair-coin --profile laptop --run cpu-laptop --data mine" in commands
    assert not re.search("myths run fair-coin --profile laptop(?! --run)", rest)
    front = Checker((tmp_path / "report" / "index.html").read_text()).text
    assert "3 of 4 tosses" in front
    assert "It does not test the claims of the paper." in front
    assert "The protocol of" not in front


def test_every_number_without_a_verdict_has_its_reason_wherever_it_stands(tmp_path):
    runs = [coin.analysis(tmp_path / "local" / "cpu-laptop"), coin.analysis(tmp_path / "local" / "cpu-quick", "quick")]
    site.build(runs, tmp_path / "report")
    for name in ("index.html", "fair-coin.html", "compare-local-cpu-laptop-local-cpu-quick.html"):
        text = (tmp_path / "report" / name).read_text()
        assert text.count("reduced protocol: absolute values need a calibration that held") >= 2, name


def test_runs_side_by_side_say_what_each_claim_asks(tmp_path):
    runs = [coin.analysis(tmp_path / "local" / "cpu-laptop"), coin.analysis(tmp_path / "local" / "cpu-quick", "quick")]
    site.build(runs, tmp_path / "report")
    page = (tmp_path / "report" / "fair-coin.html").read_text().split("Comparison of runs</h3>")[1]
    table = page.split("</table>")[0]
    shown = {j.claim.id for run in runs for j in run.claim_results if j.estimate or j.primary}
    assert 3 < len(shown) < len(coin.CLAIMS)
    for claim in coin.CLAIMS:
        assert (f"<code>{claim.id}</code>" in table) == (claim.id in shown)
        if claim.id in shown:
            assert html.escape(claim.statement, quote=False)[:30] in table.replace("&#34;", '"')
            assert html.escape(formatting.no_break_percent(formatting.format_criterion(claim.criterion_text))) in table
    assert f"{len(coin.CLAIMS) - len(shown)} of {len(coin.CLAIMS)} claims were not measured in any of these runs" in page


def test_a_factor_is_shown_by_one_sign():
    shown = {"x": "×", "× chance": "× chance", "x chance": "× chance", "px": "px", "matrix x": "matrix ×", "": ""}
    assert {unit: formatting.shown_unit(unit) for unit in shown} == shown


def test_a_figure_that_cannot_be_drawn_costs_itself_only(tmp_path):
    def figure(tables):
        raise KeyError("an odd row")

    myth = replace(coin.DRAWN, figures={"odd": figure, **coin.DRAWN.figures})
    analysis = coin.analysis(tmp_path / "local" / "cpu-laptop", myth=myth)
    with pytest.warns(UserWarning, match="cpu-laptop: figure odd of fair-coin left out: KeyError: 'an odd row'"):
        site.build([analysis], tmp_path / "report")
    page = (tmp_path / "report" / "fair-coin.html").read_text()
    assert Checker(page).wrong == []
    assert len(list((tmp_path / "report" / "figures").rglob("*.svg"))) == 1


def test_a_run_whose_names_were_converted_says_from_which_commit(tmp_path):
    run = coin.make_run(tmp_path / "published" / "cpu-laptop")
    (run.path / "run.json").write_text(json.dumps({**run.metadata(), "converted": "06cc327"}))
    site.build([analyze(coin.COIN, run)], tmp_path / "report")
    assert "converted from those of commit 06cc327" in Checker((tmp_path / "report" / "fair-coin.html").read_text()).text


def test_independent_runs_are_combined_beside_each_run(tmp_path):
    """Other people's archives among them: runs with other seeds count, repeated ones do not."""
    spread = {"measure": coin.spread_over_seeds, "repetition_unit": "seeds"}
    myth = replace(coin.COIN, claims=(coin.claim("C7-spread", "ducat", coin.between(0.1, 5.0), **spread),))
    runs = [
        coin.analysis(tmp_path / "local" / name, myth=myth, heads={"ducat": heads}, first_seed=seed)
        for name, heads, seed in (
            ("a", (5400, 5350, 5380), 0), ("b", (5300, 5450, 5390), 3), ("c", (5100, 5150, 5180), 6), ("again", (5400, 5350, 5380), 0),
        )
    ]  # fmt: skip
    site.build(runs, tmp_path / "report")
    text = Checker((tmp_path / "report" / "fair-coin.html").read_text()).text
    assert "Independent runs combined" in text
    assert re.search(r"3\.0 % \[.*\], another run in \[.*\], I² 95 %, 3 runs", text)
    site.build(runs[:2], tmp_path / "two")
    assert "Independent runs combined" not in Checker((tmp_path / "two" / "fair-coin.html").read_text()).text


def test_the_front_page_counts_independent_runs_and_the_page_of_a_claim_shows_them_all(tmp_path):
    """One run repeats seeds and one measured a former version of the claim: they are shown and do not count."""
    spread = {"measure": coin.spread_over_seeds, "repetition_unit": "seeds", "primary": True}
    myth = replace(coin.COIN, claims=(coin.claim("C7-spread", "ducat", coin.between(0.1, 5.0), **spread),))
    recorded = {"definitions": {"C7-spread": definition(myth.claims[0])}}
    machines = [{**coin.invocation("laptop")["machine"], "cpu": name} for name in ("Abacus", "Babbage", "Colossus", "Difference", "Enigma")]
    runs = [
        coin.analysis(
            tmp_path / "local" / name, myth=myth, heads={"ducat": heads}, first_seed=seed, identity=f"i{place}",
            **recorded | {"machine": machines[place]} | more,
        )
        for place, (name, heads, seed, more) in enumerate((
            ("a", (5400, 5350, 5380), 0, {}), ("b", (5360, 5400, 5390), 1000, {}), ("c", (5100, 4950, 5180), 2000, {}),
            ("again", (5400, 5350, 5380), 0, {}), ("former", (5200, 5210, 5205), 3000, {"definitions": {"C7-spread": "1-0123456789"}}),
        ))
    ]  # fmt: skip
    site.build(runs, tmp_path / "report")
    front, page = (Checker((tmp_path / "report" / name).read_text()) for name in ("index.html", "fair-coin.html"))
    assert (front.wrong, page.wrong) == ([], [])
    assert re.search(r"reproduced on 2 of 3 machines, pooled \d\.\d % \[", front.text)
    assert ("a", "href", "fair-coin.html#runs-c7-spread") in front.addresses
    assert "runs-c7-spread" in page.ids
    assert "the same seeds as" in page.text
    assert re.search(
        r"another version of the claim: its measure or its rows are others \(definition 1-\w+ instead of 1-0123456789\)", page.text
    )
    assert re.search(r"another run \[.*?\] 95 % prediction interval; I² \d+ %", page.text)
    plots = [dict(attributes) for tag, attributes in page.tags if tag == "svg" and "strip" in dict(attributes).get("class", "")]
    assert sum("Paper 50.8" in plot["aria-label"] for plot in plots) >= 7  # five runs, the combined number, another run
