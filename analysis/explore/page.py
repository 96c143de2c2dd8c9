"""The page's own files, which ship in the package, and the policy under which a browser runs them.

    assets()["style.css"]              # Asset(content=b":root {...", kind="text/css; charset=utf-8")

The policy lets nothing run or load but the page's own modules, style sheet and documents, and lets no text become HTML
(trusted types). It stands in the page itself, for static hosting, and in the header of the server, which adds that no
other page may frame this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


@dataclass(frozen=True)
class Asset:
    """One file of the page."""

    content: bytes
    kind: str  # media type


def assets() -> dict[str, Asset]:
    """All files by name, the page with the policy in it."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in KINDS:
            content = path.read_bytes().replace(b"{{policy}}", POLICY.encode())
            found[path.name] = Asset(content, KINDS[path.suffix])
    return found
