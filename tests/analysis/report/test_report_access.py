"""The report for everybody: axe-core in every look, and a keyboard that goes through the page as it is read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe import ABSENT, AXE, violations
from browser import CHROMIUM, DRIVER, Browser
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.plot_scaling import main

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="apt packages chromium and chromium-driver are absent"),
]
TAB = "\ue004"
STOPS = "a[href], button, input, select, summary, [tabindex='0']"
# elements that the keyboard reaches, in the order of the text: visible ones alone, and none inside a closed <details>
ORDER = (
    f'return [...document.querySelectorAll("{STOPS}")].filter(e => !e.disabled && e.checkVisibility()'
    " && (e.tagName !== 'SUMMARY' || e.parentElement.tagName === 'DETAILS'))"
    ".map((e, i) => { e.dataset.stop = i; return e.tagName + ' ' + e.textContent.slice(0, 30) })"
)
MOST_STOPS = 60


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The report of a small study with solutions, a missing cell and claims, opened."""
    folder = tmp_path_factory.mktemp("access")
    specs = grid(fracs=(0.5, 1.0), ks=(4,), methods=("sft", "sft_matched", "rft"))
    study = write_study(
        folder / "s", specs=specs, truth=Truth(num_items=40, num_full=32), missing={1: "died"}, samples=8, vote_k=3
    )
    with pictures():
        assert main([str(study), "--report"]) == 0
    with Browser(folder / "profile") as browser:
        browser.open((study / "figures" / "report.html").as_uri())
        yield browser


@pytest.mark.skipif(AXE is None, reason=f"axe-core is absent: {ABSENT}")
@pytest.mark.parametrize(
    ("width", "dark"), [(1280, False), (1280, True), (390, False)], ids=["light", "dark", "narrow"]
)
def test_axe_finds_nothing(page: Browser, width: int, dark: bool) -> None:
    page.look(width=width, dark=dark)
    page.run("document.querySelectorAll('details').forEach(details => { details.open = true })")
    assert violations(page) == []
    page.run("document.querySelectorAll('details').forEach(details => { details.open = false })")
    page.look()


def test_the_keyboard_goes_as_the_text_does(page: Browser) -> None:
    page.look()
    page.run("document.activeElement.blur()")
    assert (
        page.run('return document.querySelectorAll(\'[tabindex]:not([tabindex="0"]):not([tabindex="-1"])\').length')
        == 0
    )
    order = page.run(ORDER)
    seen = []
    for _ in range(min(MOST_STOPS, len(order))):
        page.press(TAB)
        seen.append(page.run("const e = document.activeElement; return e.tagName + ' ' + e.textContent.slice(0, 30)"))
    assert seen == order[: len(seen)]
    assert seen[0] == "A Skip to what was found"
