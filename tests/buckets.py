"""Buckets for tests: a folder by its URL, and S3 as moto serves it on the loopback address (`make s3-env`)."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KINDS = ("file", "s3")
_PACKAGES = ("s3fs", "moto", "flask")


def require_s3() -> None:
    """Skip where S3's adapter or its stand-in is not installed."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: `make s3-test` runs this in an environment of its own")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A moto server with one bucket; its URL. Sets the environment by which s3fs finds it, for child processes too."""
    log = folder / "moto.log"
    with open(log, "w") as out:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=folder)
    try:
        endpoint = _endpoint(log, server)
        os.environ.update(
            AWS_ENDPOINT_URL=endpoint,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_DEFAULT_REGION="us-east-1",
        )
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/lab", method="PUT")).close()
        yield "s3://lab"
    finally:
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            os.environ.pop(name, None)
        server.terminate()
        server.wait()


def _endpoint(log: Path, server: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        found = [word for word in log.read_text().split() if word.startswith("http://127.0.0.1:")]
        if found:
            try:
                urllib.request.urlopen(f"{found[0]}/moto-api/").close()
                return found[0]
            except urllib.error.URLError:
                pass
        time.sleep(0.1)
    raise RuntimeError(f"moto does not answer: {log.read_text()}")
