"""Shell completion of `rft`: of subcommands in this module, of what follows `rft run` and `rft plan` by Hydra.

    eval "$(rft -sc install=bash)"        # `rft run -sc install=bash` prints the same

Hydra's shell functions call `rft -sc query=bash` with the line typed so far in COMP_LINE, whatever the subcommand.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from rft.cli import COMMANDS, THROUGH_HYDRA, run
from rft.conf_path import config_dirs

_LINE = re.compile(r"\s*(?P<program>\S+)(?:\s+(?P<command>\S*))?(?P<rest>\s.*)?", re.DOTALL)


def complete(arguments: Sequence[str]) -> int:
    """Answer a query, or print what `eval` installs. Prints nothing where file names are all that can follow."""
    line = os.environ.get("COMP_LINE")
    if line is None or not any("query=" in argument for argument in arguments):
        return run.main(arguments)
    found = _LINE.fullmatch(line)
    if found is None or found["rest"] is None:
        start = (found["command"] or "") if found else ""
        print("\n".join(command.name for command in COMMANDS if command.name.startswith(start)))
        return 0
    if found["command"] not in THROUGH_HYDRA:
        return 0
    os.environ["COMP_LINE"] = found["program"] + found["rest"]
    own = [f"--config-dir={folder}" for folder in config_dirs(found["rest"].split())]
    return run.main([*own, *arguments])
