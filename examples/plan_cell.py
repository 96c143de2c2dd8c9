"""What one cell would compute, before anything is computed.

python examples/plan_cell.py [key=value ...]
"""

import sys

from rft import api

cell = api.plan("model=nano-xs", "method=rft", "k=4", *sys.argv[1:], study="examples")

print(cell.text)
missing = [stage for stage in cell.stages if not stage.finished]
print(f"{cell.cell_id}: {len(missing)} of {len(cell.stages)} stages are still to be computed")
for stage in missing:
    print(f"  {stage.key[:8]}  {stage.label}")
