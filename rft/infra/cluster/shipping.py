"""The code as it is sent to machines that have none: the package with its configuration files, and which commit it is of.

    copy_code(folder)         # folder/rft, as a wheel has it; folder/rft/shipped.json says what git said of it here
    # PYTHONPATH=folder python -c "from rft.infra.provenance import code_state; print(code_state())"   # ('c57b31c...', False)

The note is part of what is sent, so that whoever runs this code tells this commit, and another copy tells its own. A user's
own plug-ins are not sent.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from rft.conf_path import conf_folder
from rft.infra.provenance import PACKAGE, SHIPPED_FILE, code_state
from rft.records import write_json

LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def copy_code(folder: Path) -> None:
    """Into an empty folder, which then belongs on a path of modules."""
    commit, dirty = code_state()  # before the copy: the source may be edited meanwhile
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=LEFT_OUT)
    if not (folder / PACKAGE.name / "conf").exists():
        shutil.copytree(conf_folder(), folder / PACKAGE.name / "conf", ignore=LEFT_OUT)
    write_json(folder / PACKAGE.name / SHIPPED_FILE, {"commit": commit, "dirty": dirty})
