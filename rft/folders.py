"""Where studies and their store lie, unless somebody says otherwise.

store_of(Path("multirun_outputs/mine"))        # 'multirun_outputs/.store'
"""

from __future__ import annotations

from pathlib import Path

OUTPUTS = Path("multirun_outputs")  # the studies
STORE_FOLDER = ".store"  # beside the studies, unless store.root says otherwise
DEFAULT_ROOT = str(OUTPUTS / STORE_FOLDER)
STORE_HELP = f"the stage store, a folder or URL (default: {STORE_FOLDER} beside the study, else {DEFAULT_ROOT})"


def store_of(folder: Path) -> str | None:
    """The store of a study's folder: beside it, else the default one; None where neither is there."""
    places = (folder.resolve().parent / STORE_FOLDER, Path(DEFAULT_ROOT))
    return next((str(place) for place in places if place.is_dir()), None)
