"""What others take from a report reads back as what was measured."""

import csv
import io
import itertools
import json
import re
import shutil
import subprocess
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myths.lab.claim_record import ClaimRecord
from myths.lab.myth import Paper
from myths.lab.report import exports, latex, references, site
from myths.lab.tables import as_csv
from tests.lab.report import coin

SCHEMA = json.loads((Path(__file__).parents[3] / "schema" / "claims.schema.json").read_text())


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("exports")
    gpu = coin.analysis(root / "published" / "h200-gpu", "gpu", myth=coin.DRAWN)
    runs = [gpu, coin.analysis(root / "local" / "cpu-quick", "quick", {"button": (5500,)})]
    site.build(runs, root / "report")
    return runs, root / "report"


def test_claims_keep_to_their_schema_and_to_the_judgements(built):
    runs, folder = built
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    found = json.loads((folder / "claims.json").read_text())
    jsonschema.validate(found, SCHEMA)
    assert set(found["runs"]) == {"published-h200-gpu", "local-cpu-quick"}
    claim_results = [j for run in runs for j in run.claim_results]
    assert len(found["claims"]) == len(claim_results)
    for line, claim_result in zip(found["claims"], claim_results, strict=True):
        assert (line["claim"], line["verdict"]) == (claim_result.claim.id, claim_result.verdict)
        assert line["estimate"] == (claim_result.estimate and pytest.approx(claim_result.estimate.value))
        assert line["source_of_variation"] == (claim_result.estimate and claim_result.estimate.source_of_variation)
        assert line["invocations"] == (["20260101T000000-ab12"] if claim_result.estimate else [])
        assert len(line["trials"]) == ({"ducat": 3}.get(claim_result.claim.where["coin"], 1) if claim_result.estimate else 0)


def test_the_schema_is_made_from_the_records():
    """To write it anew: python -c "import json; from myths.lab.report import exports; print(json.dumps(exports.schema(), indent=1))"."""
    assert exports.schema() == SCHEMA


def test_claims_csv_and_claims_json_say_the_same(built):
    """Each record is read back from its line as it was; a number in the CSV has ten digits."""
    runs, folder = built
    found = json.loads((folder / "claims.json").read_text())["claims"]
    for run in runs:
        read = [ClaimRecord.read(line) for line in csv.DictReader(io.StringIO(as_csv(run.claims_table())))]
        assert [replace(record, **numbers(record)) for record in read] == [replace(record, **numbers(record)) for record in run.claims]
        assert [record.json() for record in run.claims] == [{k: v for k, v in line.items() if k != "run"} for line in found[: len(read)]]
        found = found[len(read) :]


def numbers(record):
    """The fields that hold a number, with eight digits."""
    return {field.name: float(f"{v:.8g}") for field in fields(record) if isinstance(v := getattr(record, field.name), float)}


@pytest.mark.parametrize("change", [{"verdict": "true"}, {"estimate": "50 %"}, {"surprise": 1}, {"n": -1}, {"trials": ["x"]}])
def test_the_schema_refuses_what_is_no_claim(built, change):
    found = json.loads((built[1] / "claims.json").read_text())
    found["claims"][0] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, SCHEMA)


def test_tables_stand_beside_their_csv_and_figures_in_both_forms(built):
    for file in (files := sorted(built[1].glob("tables/*/*/*.csv"))):
        rows = len(pd.read_csv(file))
        assert file.with_suffix(".md").read_text().count("\n") == rows + 2
        tex = file.with_suffix(".tex").read_text()
        assert tex.count(r"\\") == rows + 1
        assert all(rule in tex for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert len(files) == 4
    svg = next(built[1].glob("figures/published-h200-gpu/fair_coin/heads.svg"))
    assert svg.read_text().startswith("<svg")
    assert 'xmlns="http://www.w3.org/2000/svg"' in svg.read_text()
    assert svg.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_the_same_results_give_the_same_files(built, tmp_path):
    site.build(built[0], tmp_path)
    for file in sorted(built[1].rglob("*.*")):
        assert (tmp_path / file.relative_to(built[1])).read_bytes() == file.read_bytes(), file.name


def test_a_figure_that_changed_is_printed_anew(built, tmp_path):
    site.build(built[0], tmp_path)
    pdf = next(tmp_path.glob("figures/published-h200-gpu/fair_coin/heads.pdf"))
    whole = pdf.read_bytes()
    pdf.write_bytes(b"of the figure before")
    site.build(built[0], tmp_path)
    assert pdf.read_bytes() == b"of the figure before"
    pdf.with_suffix(".svg").write_text("<svg/>")
    site.build(built[0], tmp_path)
    assert pdf.read_bytes() == whole


def test_hostile_text_is_no_markup_in_markdown(built):
    text = next(built[1].glob("tables/published-h200-gpu/fair_coin/claims.md")).read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12), min_size=1, max_size=4))
def test_any_text_stays_in_its_cell(cells):
    table = pd.DataFrame([cells])
    line = exports.markdown(table).splitlines()[2]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == len(cells) + 1
    row = exports.latex(table).split("\\midrule\n")[1].split("\n\\bottomrule")[0]
    assert len(re.findall(r"(?<!\\)&", row)) == len(cells) - 1
    assert "\n" not in row
    assert not re.search(r"(?<!\\)[#%_]", row)


@pytest.mark.parametrize("rows", [2, exports.MAX_TABULAR_ROWS + 1])
def test_latex_is_what_latex_takes(rows):
    first = ["[0.1, 0.2] of 50 %", "*starred", r"C:\path_to#1", "~{x}^2 & <y>", "α ≥ β², naïve Ångström"]
    table = pd.DataFrame({"a_column": (first * rows)[:rows], "n": range(rows), "x [pp]": [0.5] * rows})
    text = exports.latex(table)
    around = re.findall(r"\\(begin|end)\{(\w+)\}", text)
    assert around in ([("begin", "tabular"), ("end", "tabular")], [("begin", "longtable"), ("end", "longtable")])
    bare = re.sub(r"\\[{}&%$#_]", "", text.partition("\n")[2])
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[%#_~^]", re.sub(r"\$[^$]*\$", "", bare))
    lines = bare.splitlines()
    body = [line for line in lines if line.endswith(r"\\")]
    assert len(body) == rows + 1
    assert {line.count("&") for line in body} == {2}
    after = [later for line, later in itertools.pairwise(lines) if line.endswith((r"\\", "rule"))]
    assert not [line for line in after if line.startswith(("[", "*"))]  # LaTeX would take it for the line break's own argument
    assert [line for line in lines if line.endswith("rule")][:2] == [r"\toprule", r"\midrule"]
    assert r"\bottomrule" in lines


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
@pytest.mark.parametrize("rows", [1, exports.MAX_TABULAR_ROWS + 1])
def test_latex_sets_every_sign(rows, tmp_path):
    table = pd.DataFrame({"every sign": ["".join(latex._COMMANDS)] * rows, "[first": ["*x"] * rows})
    packages = r"\usepackage[utf8]{inputenc}\usepackage[T1]{fontenc}\usepackage{booktabs,longtable}"
    text = "\n".join([r"\documentclass{article}", packages, r"\begin{document}", exports.latex(table), r"\end{document}"])
    (tmp_path / "table.tex").write_text(text, encoding="utf-8")
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-2000:]


def test_a_long_latex_table_breaks_over_pages_and_says_what_it_needs():
    text = exports.latex(pd.DataFrame({"n": range(exports.MAX_TABULAR_ROWS + 1)}))
    assert text.startswith("% \\usepackage{booktabs, longtable}\n\\begin{longtable}{r}")


def test_numbers_are_those_of_the_csv():
    table = pd.DataFrame({"a": [0.1 + 0.2, None, 1e-12], "b": [1, 2, 3], "c": ["≥ 3 %", None, "x|y"]})
    csv = pd.read_csv(io.StringIO(table.to_csv(index=False, float_format="%.10g")), dtype=str, keep_default_na=False)
    read = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in exports.markdown(table).splitlines()[2:]]
    assert read == [[*map(exports.markdown_cell, row)] for row in csv.to_numpy()]


def test_references_are_each_once_and_balanced():
    one = Paper("A. Ångström, R. Tachet des Combes", 2019, "Do 50 % of {ABC} & co. help?", "ICLR_2019", "https://arxiv.org/abs/1_2")
    two = Paper("A. Ångström", 2019, "Do they help {", "ICLR", "https://example.org/%7E")
    text = references.bibtex([one, two, one])
    assert re.findall(r"@(\w+)\{(\w+),", text) == [("misc", "angstrom2019they"), ("misc", "angstrom2019help"), ("misc", "sevenmyths")]
    assert "author = {A. Ångström and R. Tachet des Combes}" in text
    assert r"title = {{Do 50 \% of ABC \& co. help?}}" in text
    assert "url = {https://arxiv.org/abs/1_2}" in text
    assert text.count("{") == text.count("}")
