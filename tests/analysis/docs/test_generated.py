"""Pages say what the committed records say: the repository's own, and a small one that is edited in every way."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.docs.__main__ import ROOT, main
from analysis.docs.pages import BLOCK, close, markers
from rft.cli.archive import archive
from rft.records import read_json

PAGE = """# Title
Prose before.
<!-- generated: tiny results -->
<!-- end -->
Prose between 12.3.
<!-- generated: tiny figure accuracy_vs_data -->
<!-- end -->
<!-- generated: tiny gains -->
<!-- end -->
<!-- generated: tiny claims -->
<!-- end -->
<!-- generated: tiny origin -->
<!-- end -->
<!-- generated: tiny kept -->
<!-- end -->
<!-- generated: tiny bases -->
<!-- end -->
"""
TABLE6 = """<!-- generated: tiny table table6 -->
<!-- end -->
<!-- generated: tiny settings -->
<!-- end -->
<!-- generated: tiny rulings -->
<!-- end -->
<!-- generated: tiny noise -->
<!-- end -->
<!-- generated: tiny facts correct_per_question num_human -->
<!-- end -->
"""


def test_the_pages_of_this_repository_say_what_the_records_say(capsys: pytest.CaptureFixture[str]):
    assert main(["--check"]) == 0, capsys.readouterr()


def archived(root: Path, *, truth: Truth) -> None:
    specs = grid(models=("nano-s",), fracs=(0.25, 0.5, 1.0), ks=(4,), methods=("sft", "sft_matched", "rft"))
    study = write_study(root / "live", specs=specs, truth=truth, vote_k=3)
    archive(study, to=root / "multirun_outputs" / "reference" / "tiny")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two pages, filled."""
    root = tmp_path_factory.mktemp("site")
    (root / "docs").mkdir()
    (root / "README.md").write_text(PAGE)
    (root / "docs" / "more.md").write_text(TABLE6)
    archived(root, truth=Truth(num_items=60))
    assert main(["--root", str(root)]) == 0
    return root


def check(root: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the check complains of."""
    capsys.readouterr()
    status = main(["--check", "--root", str(root)])
    found = capsys.readouterr().out.splitlines()
    assert status == int(bool(found))
    return [line.removeprefix("differs: ") for line in found]


def test_every_block_is_filled_and_the_prose_stays(written: Path, capsys: pytest.CaptureFixture[str]):
    text = (written / "README.md").read_text()
    assert BLOCK.sub(lambda match: f"{match[1]}{match[4]}", text) == PAGE
    assert all(match[3].strip() for match in BLOCK.finditer(text))
    assert "![Accuracy against data, tiny study](docs/accuracy_vs_data.png)" in text
    assert "maj1@3" in (written / "docs" / "more.md").read_text()
    assert check(written, capsys) == []


def test_accuracies_in_the_table_are_those_of_the_outcomes(written: Path):
    by_frac = {}
    for path in (written / "live").glob("*/record.json"):
        record = read_json(path)
        if record["setting"]["method"] == "sft":
            by_frac[f"{record['setting']['data_frac']:g}"] = record["scores"]["maj1@1"]["value"]
    rows = re.findall(r"^\| SFT \| ([\d.]+) \|.*\| ([\d.]+) ± [\d.]+ \|$", (written / "README.md").read_text(), re.M)
    assert {frac: float(value) for frac, value in rows} == {
        frac: round(100 * value, 1) for frac, value in by_frac.items()
    }


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("README.md", r"(\| SFT \| 1 \|.*?)\d(\.\d ±)", r"\g<1>9\2", "README.md: tiny results"),
        ("README.md", r"\| not estimable: one draw \|", "| supported |", "README.md: tiny gains"),
        ("README.md", r"maj1@1", "maj1@2", "README.md: tiny results"),
        ("multirun_outputs/reference/tiny/claims.md", "claim", "claims", "tiny/claims.md"),
        ("docs/accuracy_vs_data.json", '"data": "', '"data": "0', "accuracy_vs_data.png"),
    ],
)
def test_an_edited_number_is_named(
    written: Path, capsys: pytest.CaptureFixture[str], name: str, old: str, new: str, told: str
):
    path = written / name
    before = path.read_text()
    after = re.sub(old, new, before, count=1)
    assert after != before
    path.write_text(after)
    try:
        (found,) = check(written, capsys)
        assert found.startswith(told)
    finally:
        path.write_text(before)


def test_other_records_make_every_page_differ(tmp_path: Path, written: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "docs").mkdir()
    for page in ("README.md", "docs/more.md", "docs/accuracy_vs_data.png", "docs/accuracy_vs_data.json"):
        (tmp_path / page).write_bytes((written / page).read_bytes())
    archived(tmp_path, truth=Truth(num_items=60, at_full=55.0))
    found = "\n".join(check(tmp_path, capsys))
    for part in ("tiny results", "tiny gains", "more.md: tiny table table6", "accuracy_vs_data.png", "tiny/fits.json"):
        assert part in found
    assert main(["--root", str(tmp_path)]) == 0
    assert check(tmp_path, capsys) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- generated: tiny results -->\n", "no <!-- end -->"),
        ("<!-- generated: tiny results -->\n<!-- end -->\n" * 2, "stands there twice"),
        ("<!-- generated: tiny reslts -->\n<!-- end -->\n", "did you mean results"),
        ("<!-- generated: big results -->\n<!-- end -->\n", "there are: tiny"),
        ("<!-- generated: tiny figure nothing -->\n<!-- end -->\n", "has the figures accuracy_vs_data"),
        ("<!-- generated: tiny table nothing -->\n<!-- end -->\n", "has the tables"),
        ("<!-- generated: tiny results now -->\n<!-- end -->\n", "takes no further words"),
        ("<!-- generated: tiny facts nothing -->\n<!-- end -->\n", "no record has the facts ['nothing']"),
        ("<!-- generated: tiny -->\n<!-- end -->\n", "STUDY BLOCK"),
    ],
)
def test_a_block_that_cannot_be_made_is_an_error_with_page_and_reason(
    written: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
):
    page = written / "docs" / "wrong.md"
    page.write_text(text)
    try:
        assert main(["--check", "--root", str(written)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert "wrong.md" in error
    finally:
        page.unlink()


def test_fits_may_differ_in_last_bits_and_in_nothing_else():
    fits = {"fits": [{"a": 12.1, "n": 3, "series": "nano-s"}, {"b": None}]}
    assert close(fits, json.loads(json.dumps(fits)))
    assert close({"a": 12.1}, {"a": 12.1 * (1 + 1e-9)})
    assert not close({"a": 12.1}, {"a": 12.11})
    assert not close(fits, {"fits": fits["fits"][:1]})
    assert not close({"n": 3}, {"n": 4})
    assert not close({"b": None}, {"b": 0.0})


def test_short_rulings_are_those_of_the_long_table():
    """The same verdicts, and the numbers that the reasons give."""
    from analysis.claims.run import claims_table, published_claims, rulings_table

    studies = {"published": published_claims()}
    short = [line.split(" | ") for line in rulings_table(studies).splitlines() if line.startswith("| ")][1:]
    long = [line.split(" | ") for line in claims_table(studies).splitlines() if line.startswith("| ")][1:]
    assert len(short) == len(long) == 17
    told = 0
    for brief, full in zip(short, long, strict=True):
        assert brief[:2] == full[:2]
        assert full[2].startswith(re.match(r"[a-z ]+", brief[2])[0].strip() + ":")
        numbers = re.search(r"\(([+-][\d.]+) .*, ([+-][\d.]+ to [+-][\d.]+)\)", brief[2])
        told += bool(numbers)
        assert numbers is None or (f"{numbers[1]} (" in full[2] and numbers[2] in full[2])
    assert told >= 4


def test_the_readme_has_generated_results():
    assert "quickstart results" in markers(ROOT / "README.md")
