"""Headless Chromium for tests, driven through chromedriver's HTTP interface (WebDriver) with the standard library alone.

with Browser(tmp_path / "profile") as browser:
    browser.open(path.as_uri())
    browser.run("return document.title")
    browser.screenshot(tmp_path / "page.png", width=1200, dark=True)
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
PATIENCE_S = 300.0  # for one answer, on a busy machine


class Browser:
    """One page in one new profile."""

    def __init__(self, profile: Path) -> None:
        self.profile = profile

    def __enter__(self) -> Browser:
        assert DRIVER
        assert CHROMIUM
        self.driver = subprocess.Popen(
            [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.driver.stdout
        port = next(
            m[1] for line in self.driver.stdout if (m := re.search(r"started successfully on port (\d+)", line))
        )
        self.root = f"http://127.0.0.1:{port}"
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={self.profile}"]}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        self.root += "/session/" + self.ask("/session", {"capabilities": wanted})["sessionId"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(self.root, method="DELETE"), timeout=30).close()
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=30)
            assert self.driver.stdout
            self.driver.stdout.close()

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        """One WebDriver command."""
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            return json.load(reply)["value"]

    def tool(self, command: str, **parameters: Any) -> Any:
        """One command of the Chrome DevTools protocol."""
        return self.ask("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, address: str) -> None:
        """Load a page and wait for it."""
        self.ask("/url", {"url": address})

    def run(self, script: str) -> Any:
        """The result of a script in the page."""
        return self.ask("/execute/sync", {"script": script, "args": []})

    def messages(self) -> list[str]:
        """Console messages since the last call."""
        return [entry["message"] for entry in self.ask("/se/log", {"type": "browser"})]

    def press(self, key: str) -> None:
        """A key on whatever has the focus."""
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.ask("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def look(self, *, width: int = 1280, height: int = 900, dark: bool = False, media: str = "") -> None:
        """Size, colour scheme and medium ('print') of the page."""
        self.tool("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tool("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def screenshot(self, path: Path) -> None:
        """What the window shows."""
        path.write_bytes(base64.b64decode(self.tool("Page.captureScreenshot", format="png")["data"]))
