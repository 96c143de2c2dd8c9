"""requirements.lock from what pip would install: exact versions with the digest of each file.

    pip install --dry-run --ignore-installed --report report.json -c constraints.txt torch -e .
    python .ci/make_lock.py report.json > requirements.lock

torch is left out: its CPU wheel comes from another index than the rest.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HEADER = """\
# What the two commands of README.md need, with digests: Linux x86-64, Python 3.11. By .ci/make_lock.py; see SECURITY.md.
# Not in it: torch (its CPU wheel comes from another index), the extras of pyproject.toml, pip itself.
"""
LEFT_OUT = ("torch", "rft-scaling")


def main() -> None:
    """Write the lock to standard output."""
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rows = []
    for one in report["install"]:
        name = one["metadata"]["name"].lower().replace("_", "-")
        digests = one["download_info"].get("archive_info", {}).get("hashes", {})
        if name not in LEFT_OUT:
            rows.append(f"{name}=={one['metadata']['version']} --hash=sha256:{digests['sha256']}\n")
    print(HEADER + "".join(sorted(rows)), end="")


if __name__ == "__main__":
    main()
