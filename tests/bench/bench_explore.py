"""Milliseconds of the explorer's first view and of its filters in Chromium, on a synthetic study.

    python tests/bench/bench_explore.py [--seeds 73] [--settings]

73 seeds are 10,000 cells of 130 problems, which take some minutes to write. `--settings`: every cell is a setting of its own,
so that the plot has 10,000 points. The middle of several rounds; run it on an idle machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from browser import Browser
from synthetic_study import Truth, grid, write_study

from analysis.explore.opened import Opened, open_study
from analysis.explore.server import address_of, make_server
from analysis.load.points import make_points
from tests.bench.harness import Row, tell

READY = "return Boolean(document.documentElement.dataset.ready)"
TIMED = (
    "const done = arguments[arguments.length - 1]; const start = performance.now(); {};"
    "requestAnimationFrame(() => setTimeout(() => done(performance.now() - start), 0));"
)
BOX = "document.querySelectorAll('.menu')[{}].querySelectorAll('input')[{}].click()"
WORDS = "const i = document.querySelector('.filters input'); i.value = '{}'; i.dispatchEvent(new Event('input'))"
ROUNDS = 5
FIRST_VIEW_MS, FILTER_MS = 2000.0, 200.0  # to stay below


def study_of(folder: Path, *, seeds: int, settings: bool) -> Opened:
    """The opened synthetic study."""
    specs = grid(
        models=("nano-xs", "nano-s", "nano-m", "nano-l"),
        fracs=(0.125, 0.25, 0.5, 1.0),
        ks=(1, 2, 4, 8, 16, 32),
        seeds=range(seeds),
    )[:10_000]
    write_study(folder, specs=specs, truth=Truth(num_items=130, num_full=16), samples=8, paths=True)
    study = open_study([folder])
    if not settings:
        return study
    apart = [
        dataclasses.replace(c, setting={**c.setting, "temperature": 0.5 + c.seeds["data_seed"]}) for c in study.cells
    ]
    points = make_points(apart, study.outcomes)
    return dataclasses.replace(study, table=dataclasses.replace(study.table, cells=tuple(apart)), points=points)


def first_view_ms(page: Browser, address: str) -> float:
    """Until the view stands."""
    page.open("about:blank")
    page.open(address)
    while not page.run(READY):
        time.sleep(0.005)
    return float(page.run("return performance.now()"))


def timed_ms(page: Browser, script: str) -> float:
    """From a reader's act to the end of the next frame."""
    return float(page.ask("/execute/async", {"script": TIMED.replace("{}", script), "args": []}))


def told(name: str, values: list[float], *, must_be: float, work: str) -> None:
    """One row: the middle of the times, in milliseconds."""
    most = f"{work}; most {max(values):.0f} ms of {len(values)}"
    tell(Row(name, statistics.median(values), None, "ms", None, None, None, len(values), must_be=must_be, work=most))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=73)
    parser.add_argument("--settings", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        study = study_of(Path(scratch) / "study", seeds=options.seeds, settings=options.settings)
        print(
            f"{len(study.cells)} cells, {len(study.points)} points, {time.perf_counter() - started:.0f} s",
            file=sys.stderr,
        )
        with make_server(study, port=0) as server, Browser(Path(scratch) / "profile") as page:
            server.documents.prepare()
            threading.Thread(target=server.serve_forever, daemon=True).start()
            page.look()
            measure(page, address_of(server), f"{len(study.cells):,} cells, {len(study.points):,} settings")
            server.shutdown()


def measure(page: Browser, root: str, size: str) -> None:
    """All times."""
    for name, view in (("explore-first-view", ""), ("explore-questions", "#/questions")):
        told(name, [first_view_ms(page, root + view) for _ in range(ROUNDS)], must_be=FIRST_VIEW_MS, work=size)
    for name, view in (("explore-filter", ""), ("explore-filter-questions", "#/questions")):
        first_view_ms(page, root + view)
        boxes = [BOX.format(menu, 0) for menu in (0, 1) for _ in range(2 * ROUNDS)]
        told(name, [timed_ms(page, script) for script in boxes], must_be=FILTER_MS, work=f"{size}, a box")
        words = [timed_ms(page, WORDS.format(word)) for word in ("r", "rf", "rft k=4", "") * 2]
        told(f"{name}-words", words, must_be=FILTER_MS, work=f"{size}, words")


if __name__ == "__main__":
    main()
