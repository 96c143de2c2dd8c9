"""The explorer in Chromium: from a point to what flipped, by mouse and keyboard; hostile text; every look; static files."""

from __future__ import annotations

import functools
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe import ABSENT, AXE, violations
from browser import CHROMIUM, DRIVER, Browser
from explored import HOSTILE, hostile_study

from analysis.explore.opened import Opened, open_study
from analysis.explore.server import address_of, make_server
from analysis.explore.static import write_static
from rft.text.equations import equation_parts

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="apt packages chromium and chromium-driver are absent"
)
TAB, ENTER, RIGHT, ESCAPE, SPACE = "\ue004", "\ue007", "\ue014", "\ue00c", " "


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return open_study([hostile_study(tmp_path_factory.mktemp("studies") / "hostile")], marks=equation_parts)


@pytest.fixture(scope="module")
def root(study: Opened) -> Iterator[str]:
    with make_server(study, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield address_of(server)
        server.shutdown()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as page:
        page.look()
        yield page


def wait(page: Browser, what: str) -> None:
    """Until a JavaScript expression is true."""
    end = time.monotonic() + 30
    while not page.run(f"return Boolean({what})"):
        assert time.monotonic() < end, f"never: {what}; {page.messages()}"
        time.sleep(0.02)


def visit(page: Browser, address: str) -> None:
    page.open("about:blank")
    page.open(address)
    wait(page, "document.documentElement.dataset.ready")


def heading(page: Browser) -> str:
    return str(page.run("return document.querySelector('h1').textContent"))


def cell_of(study: Opened, folder: str) -> str:
    return next(cell.cell_id for cell in study.cells if cell.folder and cell.folder.name == folder)


def pair(study: Opened) -> tuple[int, int]:
    """An SFT cell and an RFT cell of one base and seed."""
    wanted = [(method, 1.0, "nano-m", 0) for method in ("sft", "rft")]
    found = [(c.method, c.data_frac, c.model, c.seeds["data_seed"]) for c in study.cells]
    return found.index(wanted[0]), found.index(wanted[1])


def test_from_a_point_to_its_cells_by_keyboard(page: Browser, study: Opened, root: str):
    visit(page, root)
    page.run("document.querySelector('.cursor').focus()")
    first = page.run("return document.querySelector('.cursor').ariaLabel")
    page.press(RIGHT)
    second = page.run("return document.querySelector('.cursor').ariaLabel")
    assert first != second
    page.press(ENTER)
    wait(page, "document.documentElement.dataset.ready === 'point'")
    assert second.startswith(heading(page))
    assert page.run("return document.activeElement.tagName") == "H1"  # a reader goes on there
    page.run("document.querySelector('tbody a').click()")
    wait(page, "document.documentElement.dataset.ready === 'cell'")
    assert heading(page) in [title for title in study.titles if title.startswith(second.split(":")[0].split(", ")[0])]
    assert page.messages() == []


def test_a_cell_shows_what_its_record_says(page: Browser, study: Opened, root: str):
    _, rft = pair(study)
    visit(page, f"{root}#/cell?c={study.cells[rft].cell_id}")
    text = page.run("return document.querySelector('main').innerText")
    accuracy = study.cells[rft].accuracy
    assert accuracy is not None
    assert f"{100 * accuracy.value:.1f} %" in text
    assert "holds no curve of this cell" in text
    for word in ("train.lr", "select.policy", "Provenance", "duplicate path", "pretrain"):
        assert word in text


def test_two_cells_show_what_flipped_and_both_texts(page: Browser, study: Opened, root: str):
    one, two = pair(study)
    ids, right = study.outcomes.matrix([study.cells[one], study.cells[two]]) or ((), None)
    assert right is not None
    gained, lost = int((~right[0] & right[1]).sum()), int((right[0] & ~right[1]).sum())
    visit(page, f"{root}#/compare?a={study.cells[one].cell_id}&b={study.cells[two].cell_id}")
    counts = page.run("return [...document.querySelectorAll('.counts td')].map(cell => Number(cell.textContent))")
    assert counts == [int(right.all(0).sum()), lost, gained, int((~right).all(0).sum())]
    assert page.run("return document.querySelector('.tools output').textContent").startswith(
        f"{gained + lost} problems"
    )
    page.run("document.querySelectorAll('.counts a')[2].click()")
    rows = "[...document.querySelectorAll('.paged tbody tr')]"
    assert page.run(f"return {rows}.every(row => row.cells[3].textContent.startsWith('correct'))")
    assert page.run(f"return {rows}.length") == min(gained, 25)
    visit(page, f"{page.run('return location.href')}&q={ids[0]}")  # the first problems have texts
    sides = page.run("return [...document.querySelectorAll('.sides > div')].map(side => side.innerText)")
    assert len(sides) == 2
    assert all("greedy solution" in side for side in sides)
    assert page.run("return document.querySelectorAll('.sides .equation').length") > 0


def test_a_text_that_is_not_stored_is_said(page: Browser, study: Opened, root: str):
    one, two = pair(study)
    last = (study.outcomes.get(study.cells[one]) or pytest.fail("no outcomes")).ids[-1]
    visit(page, f"{root}#/compare?a={study.cells[one].cell_id}&b={study.cells[two].cell_id}&q={last}")
    sides = page.run("return [...document.querySelectorAll('.sides > div')].map(side => side.innerText)")
    assert all("text not stored in the study folder" in side for side in sides)


def test_a_filter_stands_in_the_address_and_a_shared_link_shows_the_same(page: Browser, root: str):
    visit(page, root)
    everything = page.run("return document.querySelector('.filters output').textContent")
    page.run("document.querySelectorAll('.menu summary')[1].focus()")
    page.press(SPACE)
    page.press(TAB)
    page.press(SPACE)  # the first method
    wait(page, "location.hash.includes('f.method=')")
    page.press(ESCAPE)
    assert page.run("return document.querySelectorAll('.menu[open]').length") == 0
    page.run("const s = document.querySelector('#choose-x'); s.value = 'flops'; s.dispatchEvent(new Event('change'))")
    shown = (
        "return [document.querySelector('.filters output').textContent, document.querySelector('tbody').textContent]"
    )
    before = page.run(shown)
    assert before[0] != everything
    visit(page, page.run("return location.href"))
    assert page.run(shown) == before
    assert page.run("return document.querySelector('#choose-x').value") == "flops"


def test_back_undoes_a_choice(page: Browser, root: str):
    visit(page, root)
    everything = page.run("return document.querySelector('.filters output').textContent")
    page.run("document.querySelectorAll('.menu input')[0].click()")
    wait(page, "location.hash.includes('f.base=')")
    page.run("history.back()")
    wait(page, f"document.querySelector('.filters output').textContent === {everything!r}")
    assert "f.base" not in page.run("return location.hash")


def test_questions_are_searched_and_counted(page: Browser, study: Opened, root: str):
    visit(page, f"{root}#/questions?who=none")
    _, right = study.outcomes.matrix(study.cells) or ((), None)
    assert right is not None
    said = page.run("return document.querySelector('.tools output').textContent")
    assert int(said.split(" ")[0]) == int((~right).all(0).sum())


def test_a_question_shows_paths_with_their_donors(page: Browser, study: Opened, root: str):
    visit(page, f"{root}#/question?q=h-0")
    wait(page, "document.querySelector('.gather button').hidden")
    text = page.run("return document.querySelector('main').innerText")
    assert "Kept paths, and who found them" in text
    assert "nano-m (draw 0)" in text
    assert "*1=" in text


def test_texts_are_filtered_by_fate(page: Browser, root: str):
    visit(page, f"{root}#/texts?fate=false_equation&f.method=RFT")
    wait(page, "document.querySelectorAll('.solution').length > 0")
    fates = page.run("return [...document.querySelectorAll('.solution .meta')].map(meta => meta.textContent)")
    assert all("dropped: false equation" in fate for fate in fates)


def test_hostile_text_is_text(page: Browser, study: Opened, root: str):
    visit(page, f"{root}#/cell?c={cell_of(study, '3')}")
    texts = page.run("return [...document.querySelectorAll('.solution pre')].map(pre => pre.textContent)")
    assert HOSTILE in texts
    visit(page, f"{root}#/?cells=%3Cimg%20src%3Dx%20onerror%3D%22window.hacked%3D1%22%3E")
    assert "died of </script>" in page.run("return document.querySelector('main').textContent")
    assert page.run("return document.querySelectorAll('main script, main img, main iframe').length") == 0
    assert page.run("return window.hacked === undefined")
    assert page.messages() == []


INJECTIONS = (
    "document.body.innerHTML = '<b>x</b>'",
    "document.body.setAttribute('onclick', 'window.hacked = 1')",
    "document.createElement('script').text = 'window.hacked = 1'",
)


@pytest.mark.parametrize("script", INJECTIONS)
def test_the_policy_lets_no_text_become_markup_or_code(page: Browser, root: str, script: str):
    visit(page, root)
    assert page.run(f"try {{ {script}; return 'done' }} catch (error) {{ return error.name }}") == "TypeError"
    assert page.run("return window.hacked === undefined")
    assert all("TrustedHTML" in message or "TrustedScript" in message for message in page.messages())


def test_the_policy_loads_nothing_from_elsewhere(page: Browser, root: str):
    visit(page, root)
    script = "return fetch('https://127.0.0.1:1/').then(() => 'loaded', error => error.name)"
    assert page.run(script) == "TypeError"
    assert any("Content Security Policy" in message for message in page.messages())


def addresses(study: Opened, root: str) -> list[str]:
    one, two = (study.cells[place].cell_id for place in pair(study))
    hashes = ["", f"#/point?c={two}", f"#/cell?c={two}", f"#/compare?a={one}", f"#/compare?a={one}&b={two}&q=t-0000",
              "#/questions", "#/question?q=t-0000", "#/texts", "#/nothing", "#/cell?c=nothing"]  # fmt: skip
    return [root + one for one in hashes]


@pytest.mark.slow
@pytest.mark.skipif(AXE is None, reason=f"axe-core is absent: {ABSENT}")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["wide-light", "narrow-dark"])
def test_every_view_is_accessible(page: Browser, study: Opened, root: str, width: int, dark: bool):
    page.look(width=width, dark=dark)
    for address in addresses(study, root):
        visit(page, address)
        assert violations(page) == [], address


@pytest.mark.slow
def test_no_view_is_wider_than_a_telephone(page: Browser, study: Opened, root: str):
    page.look(width=390)
    for address in addresses(study, root):
        visit(page, address)
        assert page.run("return document.documentElement.scrollWidth <= innerWidth"), address
        firsts = "[...document.querySelectorAll('tbody tr:first-child td:first-child:not(:only-child)')]"
        assert page.run(f"return {firsts}.every(cell => cell.offsetWidth >= 160)"), address  # words a line, not letters
    page.look()


def test_colours_follow_the_system(page: Browser, root: str):
    visit(page, root)
    grounds = []
    for dark in (False, True):
        page.look(dark=dark)
        grounds.append(page.run("return getComputedStyle(document.body).backgroundColor"))
    page.look()
    assert grounds == ["rgb(255, 255, 255)", "rgb(22, 24, 29)"]


def test_static_files_show_the_same_from_any_server(page: Browser, study: Opened, root: str, tmp_path: Path):
    write_static(study, out=tmp_path / "public")
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        seen = []
        for base in (f"http://127.0.0.1:{host.server_port}/public/", root):
            visit(page, f"{base}#/cell?c={study.cells[0].cell_id}")
            seen.append(page.run("return document.querySelector('main').textContent"))
            assert page.messages() == []
        host.shutdown()
    assert seen[0] == seen[1]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass
