"""One real stage as a Ray task of a worker that has no code of its own, or that of somebody else; from a process of its own.

python tests/cluster/shipped_stage.py FOLDER --address ADDRESS --ship     # {"result": ["done", null], "commit": "c57b31c..."}
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from composing import tiny  # noqa: E402

from rft.config import StoreConfig  # noqa: E402
from rft.execute.made import Made  # noqa: E402
from rft.execute.stages import StagePayload  # noqa: E402
from rft.infra.cluster.ray_tasks import RayTasks  # noqa: E402
from rft.infra.cluster.resources import ResourceTable  # noqa: E402
from rft.infra.graph import Task  # noqa: E402
from rft.infra.store import Store  # noqa: E402
from rft.plan.cell import plan  # noqa: E402
from rft.plan.sources import resolve  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--address")
    parser.add_argument("--ship", action="store_true")
    options = parser.parse_args()
    folder = options.folder.absolute()
    os.environ.pop("PYTHONPATH", None)  # which workers would be given too
    cfg = tiny("method=sft", "runtime.device=cpu")
    stage = next(stage for stage in plan(cfg, resolve(cfg)).stages if stage.kind == "world_problems")
    store = StoreConfig(root=str(folder / "store"), cache="", cache_gib=1.0)
    task = Task("problems", (), "rft.execute.stages:StageTask", StagePayload(stage, store, cfg.runtime, ()))
    table = ResourceTable.read({"all": {"memory_gb": 0.1}})
    tasks = RayTasks(folder / ".ray", table, address=options.address, ship_code=options.ship, max_retries=0)
    result = tasks.run([task], on_event=lambda event: None)["problems"]
    entry = Store(folder / "store").get(stage.kind, stage.key)
    made = {} if entry is None else Made.of(entry.meta).origin
    said = {"result": [result.status, result.error], "commit": made.get("commit"), "dirty": made.get("dirty")}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
