"""The records of a study, a line each.

python examples/read_records.py multirun_outputs/examples
"""

import sys

from rft import api

for record in api.records(sys.argv[1] if len(sys.argv) > 1 else "multirun_outputs/examples"):
    score = record.scores["maj1@1"]
    setting = {key: record.setting[key] for key in ("method", "data_frac", "k") if key in record.setting}
    print(record.cell_id, setting, dict(record.seeds), f"{100 * score.value:.1f} ± {100 * score.se:.1f} %")
