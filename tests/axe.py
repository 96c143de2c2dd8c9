"""axe-core, the checker of accessibility, where the package `axe-playwright-python` carries it (a test tool, never imported).

if AXE is not None: assert violations(page) == []
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from browser import Browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PATIENCE_MS = 300_000  # a long page on a busy machine
ABSENT = "pip install --no-deps axe-playwright-python"


def _script() -> Path | None:
    spec = find_spec("axe_playwright_python")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    found = [path for place in places if (path := Path(place) / "axe.min.js").is_file()]
    return found[0] if found else None


AXE = _script()


def violations(page: Browser) -> list[Any]:
    """[rule, impact, elements] of every violation on the page as it stands."""
    assert AXE is not None
    page.ask("/timeouts", {"script": PATIENCE_MS})
    page.tool("Runtime.evaluate", expression=AXE.read_text(encoding="utf-8"))  # past the policy, which stays in force
    script = (
        "const done = arguments[arguments.length - 1];"
        f"axe.run({{runOnly: {{type: 'tag', values: {TAGS!r}}}}}).then(found =>"
        " done(found.violations.map(v => [v.id, v.impact, v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))])))"
    )
    found: list[Any] = page.ask("/execute/async", {"script": script, "args": []})
    return found
