"""`rft explore DIR ...`: a page to explore studies, on this machine alone; or the same as files to publish.

rft explore multirun_outputs/quickstart                    # http://127.0.0.1:8765/ until Ctrl-C
rft explore multirun_outputs/quickstart --out public       # static files
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.explore.opened import Opened

PORT = 8765


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="A page to explore studies, served on this machine alone.")
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="study folders, e.g. multirun_outputs/quickstart"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write static files to publish instead of serving")
    parser.add_argument("--port", type=int, default=PORT, help=f"of the server (default: {PORT}; 0: any free one)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Serve or write; returns the exit status (2 for bad input, with one line on stderr)."""
    options = parse(arguments)
    from analysis.explore.opened import open_study
    from rft.text.equations import equation_parts

    try:
        study = open_study(options.folders, marks=equation_parts)
        return serve(study, port=options.port) if options.out is None else write(study, out=options.out)
    except (ValueError, OSError) as error:
        print(f"rft explore: {error}", file=sys.stderr)
        return 2


def write(study: Opened, *, out: Path) -> int:
    """Write static files."""
    from analysis.explore.static import write_static

    size = write_static(study, out=out)
    print(
        f"{len(study.cells):,} cells in {out} ({size / 1e6:,.1f} MB): publish the folder on any web server, or look at it"
    )
    print(f"with  python -m http.server --bind 127.0.0.1 --directory {out}")
    return 0


def serve(study: Opened, *, port: int) -> int:
    """Serve until interrupted."""
    from analysis.explore.server import address_of, make_server

    try:
        server = make_server(study, port=port)
    except OSError as error:
        raise ValueError(
            f"port {port} cannot be had ({error.strerror}); give another, or --port 0 for any free one"
        ) from None
    with server:
        server.documents.prepare()
        print(f"{len(study.cells):,} cells at {address_of(server)} (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0
