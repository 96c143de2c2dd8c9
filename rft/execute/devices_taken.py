"""How many devices a task of a sweep takes while it runs, for the device hours that the sweep says.

    devices_taken(task)     # 8 for a training by eight processes, 4 for sampling by vLLM over four GPUs, 0 for a record

On processors a device is one process.
"""

from __future__ import annotations

from rft.execute.stages import StagePayload
from rft.infra.graph import Task


def devices_taken(task: Task) -> int:
    """See the module."""
    if not isinstance(task.payload, StagePayload):
        return 0
    stage, runtime = task.payload.stage, task.payload.runtime
    if stage.trains:
        return runtime.processes
    generation = getattr(stage, "generation", None) if stage.samples else None
    return runtime.tensor_parallel if getattr(generation, "engine", "") == "vllm" else 1
