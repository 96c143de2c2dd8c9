"""The report is one file that loads nothing, sorts and filters, and shows hostile model text as text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import CHROMIUM, DRIVER, Browser
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.load.studies import load_studies
from analysis.plot_scaling import main
from analysis.report.markup import Markup, escape, table, tag
from analysis.report.page import data_block
from analysis.report.plan import plan_of
from analysis.report.solutions import solutions, thin
from rft.records import StageCost, read_jsonl, write_jsonl

HOSTILE = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">{{title}}\u2028 & \''
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="apt packages chromium and chromium-driver are absent"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study whose samples, failure reason and model name are hostile."""
    folder = tmp_path_factory.mktemp("studies") / "hostile"
    specs = grid(fracs=(0.5, 1.0), ks=(4,), methods=("sft", "sft_matched", "rft"), seeds=range(2))
    write_study(
        folder, specs=specs, truth=Truth(num_items=40, num_full=32), missing={1: f"died of {HOSTILE}"}, samples=16
    )
    path = folder / "3" / "samples.jsonl"
    rows = [
        {**row, "text": HOSTILE, "question": HOSTILE, "reason": row["reason"] and HOSTILE} for row in read_jsonl(path)
    ]
    write_jsonl(path, rows)
    with pictures("png"):
        assert main([str(folder), "--report"]) == 0
    return folder / "figures" / "report.html"


class Elements(HTMLParser):
    """Counts elements and gathers addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attrs)


def test_nothing_comes_from_elsewhere_and_no_text_becomes_markup(report: Path) -> None:
    text = report.read_text()
    seen = Elements()
    seen.feed(text)
    assert seen.names.count("script") == 2  # the data and the report's own
    assert all(address.startswith(("#", "data:")) for address in seen.addresses)
    assert "died of &lt;/script&gt;" in text
    assert "default-src 'none'" in text


def test_the_data_reads_back_as_it_was(report: Path) -> None:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', report.read_text(), re.S)
    assert found
    data = json.loads(found[1])
    rows = [dict(zip(data["fields"], row, strict=True)) for cell in data["cells"] for row in cell["rows"]]
    assert HOSTILE in {row["text"] for row in rows}
    assert json.loads(data_block({"a": HOSTILE})) == {"a": HOSTILE}


def test_what_was_found_comes_first_and_missing_cells_have_reasons(report: Path) -> None:
    text = report.read_text()
    places = [text.index(f'<section id="{name}"') for name in ("findings", "figures", "tables", "claims", "missing", "plan", "solutions", "provenance")]  # fmt: skip # noqa: E501
    assert places == sorted(places)
    assert "missing cells: 1" in text
    assert not re.search("&lt;/?(p|li|ul|td|strong)&gt;", text)  # escaped twice
    assert "that these cells cannot test, and what to add to test them" in text
    assert text.count('<img class="plot"') == text.count("<figcaption>") >= 5
    assert "n = 40 test problems" in text


def test_an_unchanged_study_is_not_reported_again(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stamp = report.stat().st_mtime_ns
    assert main([str(report.parents[1]), "--report"]) == 0
    assert f"report: {report}" in capsys.readouterr().out
    assert report.stat().st_mtime_ns == stamp


def test_markup_escapes_all_but_markup() -> None:
    assert escape('<a b="c">&') == "&lt;a b=&quot;c&quot;&gt;&amp;"
    assert tag("p", "a<b", Markup("<br>"), class_="x") == '<p class="x">a&lt;b<br></p>'
    made = table(["a", "empty", "<n>"], [["x<y", "", "1.5 ± 2"], ["z", "", ""]], name="t", caption="<c>")
    assert "x&lt;y" in made
    assert "empty" not in made
    assert '<td class="num">1.5 ± 2</td>' in made


def test_thinned_solutions_keep_every_kind() -> None:
    rows = [{"source": "pool", "outcome": "wrong", "kept": False, "reason": "wrong", "draw": i} for i in range(50)]
    rows.append({"source": "pool", "outcome": "correct", "kept": True, "reason": None, "draw": 50})
    kept = thin(rows, most=6)
    assert len(kept) == 6
    assert kept[-1]["kept"] is True
    assert [row["draw"] for row in kept] == sorted(row["draw"] for row in kept)


def test_a_study_without_samples_or_with_broken_ones_still_has_a_report(tmp_path: Path) -> None:
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=("sft", "rft"))
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=16))
    (folder / "0" / "samples.jsonl").write_text('{"id": "a", \n')
    shown = solutions(load_studies([folder]).cells, names={("nano-m", 2e6, 0): "nano-m"})
    assert shown["cells"] == []
    assert "line 1 is not JSON" in shown["problems"][0]


def test_shared_stages_are_counted_once(tmp_path: Path) -> None:
    specs = grid(models=("nano-m",), fracs=(0.5, 1.0), ks=(4,), methods=("sft", "rft"))
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=16))
    cells = load_studies([folder]).cells
    plan = plan_of(cells)
    keys = {stage.key for cell in cells for stage in cell.cost}
    assert len(plan.stages) == len(keys)
    assert plan.seconds == pytest.approx(sum({s.key: s.seconds for c in cells for s in c.cost}.values()))
    assert plan.seconds_unshared == pytest.approx(sum(s.seconds for c in cells for s in c.cost))
    assert {row[0] for row in plan.rows()} == {"pretrain", "finetune", "shard", "evaluate"}


def test_alone_a_cell_draws_whole_blocks(tmp_path: Path) -> None:
    """RFT at k = 4 and at k = 16 read a quarter and all of one block of 400 s: together they cost no more than apart."""
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4, 16), methods=("rft",))
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=16))

    def costs(k: int | None, *, used: float) -> tuple[StageCost, ...]:
        block = StageCost("shard", "s", 400.0, 1.0, 1, False, used=used, makes=True)
        return (block, StageCost("finetune", f"f{k}", 10.0, 1.0, 1, False, makes=True))

    cells = [replace(c, cost=costs(c.k, used=(c.k or 0) / 16)) for c in load_studies([folder]).cells]
    both, first = plan_of(cells), plan_of([c for c in cells if c.k == 4])
    assert (both.seconds, both.seconds_unshared) == (420.0, 820.0)
    assert (first.seconds, first.seconds_unshared) == (410.0, 410.0), "one cell shares nothing"


COLUMN = "return [...document.querySelectorAll('#results tbody tr')].filter(r => !r.hidden).map(r => r.cells[{}].textContent)"


@pytest.mark.slow
@needs_browser
def test_in_a_browser(report: Path, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as page:
        page.look()
        page.open(report.as_uri())
        _sorts_and_filters(page)
        _browses(page)
        assert page.run("return window.hacked === undefined")
        page.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked=1\">')")
        assert page.run("return new Promise(done => setTimeout(() => done(window.hacked === undefined), 200))")
        assert all("Content Security Policy" in message for message in page.messages())  # of that last injection alone
        _looks(page)


def _sorts_and_filters(page: Browser) -> None:
    assert page.messages() == []
    heads = page.run("return [...document.querySelectorAll('#results th')].map(h => h.textContent)")
    place = heads.index("maj1@1 [%]")
    click = f"document.querySelectorAll('#results th button')[{place}].click()"
    page.run(click)
    values = [float(text.split(" ")[0]) for text in page.run(COLUMN.format(place))]
    assert values == sorted(values)
    assert len(set(values)) > 1
    page.run(click)
    assert [float(t.split(" ")[0]) for t in page.run(COLUMN.format(place))] == sorted(values, reverse=True)
    assert page.run(f"return document.querySelectorAll('#results th')[{place}].ariaSort") == "descending"
    page.run(
        "const s = document.querySelectorAll('#tables .tools select')[1]; s.value = '=rft';"
        "s.dispatchEvent(new Event('input'))"
    )
    methods = page.run(COLUMN.format(heads.index("method")))
    assert set(methods) == {"rft"}
    page.run("window.scrollTo(0, 0); document.querySelector('.skip').focus()")
    for _ in range(3):  # Tab walks on from the skip link to the sections' links
        page.press("\ue004")
    assert page.run("return document.activeElement.textContent") == "Results"


def _browses(page: Browser) -> None:
    choose = "const s = document.querySelector('#solution-cell'); s.value = '{}'; s.dispatchEvent(new Event('input'));"
    names = page.run("return [...document.querySelector('#solution-cell').options].map(o => o.textContent)")
    texts = []
    for i in range(len(names)):
        page.run(choose.format(i))
        texts += page.run("return [...document.querySelectorAll('.solution pre')].map(e => e.textContent)")
    assert HOSTILE in texts
    assert page.run("return document.querySelectorAll('.solution script, .solution img').length") == 0


def _looks(page: Browser) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    page.look(dark=True)
    dark = page.run(ground)
    page.look(dark=False)
    assert page.run(ground) == "rgb(255, 255, 255)" != dark
    page.run("document.getElementById('theme').click()")
    assert page.run(ground) == dark
    page.look(media="print")
    assert page.run(ground) == "rgb(255, 255, 255)"
    assert page.run("return getComputedStyle(document.querySelector('nav')).display") == "none"
    page.look(width=360)
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
