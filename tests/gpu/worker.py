"""One part in a process of its own: imports its libraries, says so, measures when told, writes what it finds as it finds it.

    python tests/gpu/worker.py training FOLDER [--small]       # 'ready' on stdout; every line on stdin runs the part once

`FOLDER/training.json` is replaced after every finding, so that a killed process leaves what it had. A part is a function
`run(sizes, emit)`; `emit(name, value)` keeps a finding. After a run it says 'done', or 'failed' with a traceback kept.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

MODULES = {
    "training": "part_training",
    "sampling": "part_sampling",
    "paged": "part_paged",
    "packing": "part_packing",
    "cell-1": "part_cell",
    "cell-2": "part_cell",
}


def main() -> None:
    """Serve until stdin closes."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    found: dict[str, Any] = {}
    warnings.simplefilter("ignore")

    def emit(key: str, value: Any) -> None:
        found[key] = value
        print(f"{name}: {key} = {json.dumps(value)}", file=sys.stderr)
        part = folder / f"{name}.json.part"
        part.write_text(json.dumps(found), encoding="utf-8")
        part.rename(folder / f"{name}.json")

    said = sys.stdout
    sys.stdout = sys.stderr  # libraries print; the driver reads our words alone
    from sizes import FULL, SMALL

    part = importlib.import_module(MODULES[name])
    print("ready", file=said, flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        try:
            part.run(SMALL if "--small" in sys.argv else FULL, emit)
            word = "done"
        except Exception:
            emit("error", traceback.format_exc())
            word = "failed"
        emit("seconds", round(time.perf_counter() - started, 2))
        print(word, file=said, flush=True)


if __name__ == "__main__":
    main()
