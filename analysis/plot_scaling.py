"""Draw the figures of study folders: load, fit, draw, save.

    python analysis/plot_scaling.py DIR [DIR ...] [--out OUT] [--overlay paper]
    python analysis/plot_scaling.py DIR --report        # also OUT/report.html: one file, opens from disk, no network
    python analysis/plot_scaling.py --paper --out OUT
    python analysis/plot_scaling.py DIR --plugins my_figures       # a module that registers figures of your own
    python analysis/plot_scaling.py DIR --test-set svamp           # on another of its test sets: DIR/figures/svamp
    python analysis/plot_scaling.py DIR --sweep latest             # of one sweep into the study: DIR/figures/sweep-latest
    python analysis/plot_scaling.py DIR --size column              # a paper's column (or full, slide): DIR/figures/column
    python analysis/plot_scaling.py DIR --figure accuracy_vs_k     # that figure alone, without tables and claims

Prints a results table and the paths of the figures. OUT is DIR/figures by default; beside the figures it holds fits.json,
one entry per series: {"figure": "accuracy_vs_data", "series": "nano-s, SFT", "a": 12.1, "b": 5.3, "se_b": 0.4, "n": 3}.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # run as a script: make `analysis` and `rft` importable without installation
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis.sizes import PAGES, SCREEN


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; `parser.error` exits with status 2 and says what to give."""
    parser = argparse.ArgumentParser(description="Figures and tables of study folders.")
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="DIR", help="study folders, e.g. multirun_outputs/quickstart"
    )
    parser.add_argument("--out", type=Path, help="folder for the figures (default: DIR/figures)")
    parser.add_argument(
        "--paper", action="store_true", help="the paper's figures and tables from its published numbers"
    )
    parser.add_argument(
        "--overlay", choices=["paper"], help="draw the published numbers as series of their own beside the study's"
    )
    parser.add_argument("--report", action="store_true", help="also write OUT/report.html, one self-contained file")
    parser.add_argument(
        "--plugins", action="append", default=[], metavar="MODULE", help="module with figures of your own (repeatable)"
    )
    parser.add_argument("--test-set", metavar="NAME", help="the test set to show (default: each cell's own)")
    parser.add_argument("--sweep", metavar="N", help="the cells of one sweep alone, by its number, or latest")
    parser.add_argument(
        "--size", choices=list(PAGES), default=SCREEN.name, help="where the figures are to be shown (default: screen)"
    )
    parser.add_argument("--figure", metavar="NAME", help="draw this figure alone, without tables and claims")
    options = parser.parse_args(arguments)
    if not options.folders and not options.paper:
        parser.error("give one or more study folders, or --paper")
    if options.folders and options.paper:
        parser.error("--paper draws the published numbers alone; to add them to a study use --overlay paper")
    if options.out is None:
        if len(options.folders) != 1:
            parser.error("give --out OUT with --paper or with more than one folder")
        options.out = options.folders[0] / "figures" / _part_folder(options)
    if options.figure and options.report:
        parser.error("--report shows all figures; leave out --figure")
    if options.paper and (options.test_set or options.sweep):
        parser.error("--test-set and --sweep choose a part of a study; the published one has neither")
    return options


def _part_folder(options: argparse.Namespace) -> str:
    """Where figures of a part of the study lie, below those of all of it; '' for these."""
    sweep = f"sweep-{options.sweep}" if options.sweep else ""
    size = "" if options.size == SCREEN.name else options.size
    return "-".join(name for name in (options.test_set, sweep, size) if name)


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit status (2 for bad input, with one line on stderr)."""
    options = parse(arguments)
    from analysis.study import Shown, draw_study  # late: matplotlib and scipy take a second, --help should not

    try:
        overlay = options.overlay is not None
        print(
            draw_study(
                options.folders,
                out=options.out,
                paper_alone=options.paper,
                overlay=overlay,
                report=options.report,
                plugins=options.plugins,
                part=Shown(options.test_set, options.sweep, PAGES[options.size], options.figure),
            )
        )
    except (ValueError, OSError) as error:
        print(f"plot_scaling: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
