"""Lines of accuracy on log2 of the human examples, and all figures that a study allows.

python examples/fit_and_draw.py multirun_outputs/quickstart figures
"""

import sys

from rft import api

study, out = sys.argv[1:3]
results = api.read(study)
for gap in results.missing:
    print(f"missing: {gap.cell_id}: {gap.reason}")

for line in api.fit(api.where(results, method="sft")):
    if line.line:
        print(f"{line.what}: {line.line.b:+.1f} ± {line.line.se_b:.1f} points a doubling, n = {line.line.n}")
    else:
        print(line.line)  # why there is none

for path in api.draw(results, out=out):
    print(path)
