"""Compute one cell and print its score; a second call finds it finished.

python examples/run_cell.py [key=value ...]
"""

import sys

from rft import api

cell = api.plan("model=nano-xs", "method=sft", *sys.argv[1:], study="examples")
record = api.run(cell)

score = record.scores["maj1@1"]
print(f"{cell.folder}: {100 * score.value:.1f} ± {100 * score.se:.1f} % of {score.n} problems (item noise only)")
print(f"{sum(stage.seconds for stage in record.cost):.1f} s of computing, shared stages included")
