"""Small whole objects by name: what processes that share a store tell each other.

    objects = FolderObjects(root)
    objects.put(".sweeps/5f0c.json", b"{}")          # whole or not at all, over what was there
    objects.read(".sweeps/5f0c.json")                # b"{}", or None
    objects.names(".sweeps")                         # ["5f0c.json"]
    objects.modified(".sweeps/5f0c.json")            # seconds, by the clock of whoever keeps the object

Folders do this here; buckets in rft.infra.buckets.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Protocol

from rft.infra.disk import own_children


class Objects(Protocol):
    """Where small objects lie. Names are relative, with '/'."""

    def put(self, name: str, content: bytes) -> None:
        """Write one, whole."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content, None where there is none."""
        ...

    def names(self, folder: str) -> list[str]:
        """Last parts of the names directly below a folder."""
        ...

    def modified(self, name: str) -> float | None:
        """When it was last written, None where there is none. To be compared with other objects here alone."""
        ...

    def remove(self, name: str) -> None:
        """Take one away, if it is there."""
        ...


def now(objects: Objects, folder: str) -> float:
    """By the clock that objects are stamped with: that of a server may differ from ours."""
    name = f"{folder}/now-{secrets.token_hex(4)}"
    objects.put(name, b"")
    try:
        return objects.modified(name) or 0.0
    finally:
        objects.remove(name)


class FolderObjects:
    """Below a folder of a file system that processes share."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, name: str, content: bytes) -> None:
        """Written beside, flushed and renamed."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with open(scratch, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        """See Objects."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """See Objects."""
        return [path.name for path in own_children(self.root / folder) if not path.name.startswith(".")]

    def modified(self, name: str) -> float | None:
        """See Objects."""
        try:
            return os.stat(self.root / name).st_mtime
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """See Objects."""
        (self.root / name).unlink(missing_ok=True)
