"""What a hub is sent of an exported folder: a stand-in on loopback checks the card as the hub does, and takes the files."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import HfApi

from rft.export.cards import licence_head

MODELS = Path(__file__).resolve().parents[2] / "conf" / "model"
IDS = {"apache-2.0", "mit", "llama2", "llama3.1", "llama3.2", "other"}  # of those that the hub takes
LICENCES = sorted({str(yaml.safe_load(path.read_text()).get("licence") or "") for path in MODELS.glob("*.yaml")})


class Hub(BaseHTTPRequestHandler):
    """Creates a repository, validates a card's head, takes a commit of plain files."""

    protocol_version = "HTTP/1.1"
    taken: dict[str, list[str]]

    def do_GET(self) -> None:
        self._answer(200, {"sha": "0" * 40, "siblings": [], "id": "me/it"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        place = f"http://{self.headers['host']}/me/it"
        if self.path.endswith("validate-yaml"):
            head = yaml.safe_load(json.loads(body)["content"].split("---")[1]) or {}
            fault = head.get("license", "other") not in IDS or (head.get("license") == "other") != (
                "license_name" in head
            )
            self._answer(
                400 if fault else 200, {"errors": [{"message": '"license" must be one of ...'}] * fault, "warnings": []}
            )
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            self._answer(
                200, {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
            )
        elif "/commit/" in self.path:
            lines = [json.loads(line) for line in body.decode().splitlines()]
            self.taken["files"] = sorted(line["value"]["path"] for line in lines if line["key"] == "file")
            self._answer(200, {"commitUrl": f"{place}/commit/{'0' * 40}", "commitOid": "0" * 40, "success": True})
        else:
            self._answer(200, {"url": place})

    def _answer(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[tuple[HfApi, dict[str, list[str]]]]:
    taken: dict[str, list[str]] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("TakingHub", (Hub,), {"taken": taken}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield HfApi(endpoint=f"http://127.0.0.1:{server.server_port}", token="hf_none"), taken
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("licence", LICENCES)
def test_a_card_is_taken_whatever_the_models_licence(
    hub: tuple[HfApi, dict[str, list[str]]], tmp_path: Path, licence: str
):
    """The hub refuses a whole folder for a licence that is none of its identifiers: `Apache-2.0` is none."""
    api, taken = hub
    head = "\n".join(f"{name}: {json.dumps(value)}" for name, value in licence_head(licence).items())
    (tmp_path / "README.md").write_text(f"---\n{head}\n---\n# A model\n")
    (tmp_path / "config.json").write_text("{}")
    api.upload_folder(repo_id="me/it", folder_path=tmp_path)
    assert taken["files"] == ["README.md", "config.json"]


def test_the_stand_in_refuses_what_the_hub_refuses(hub: tuple[HfApi, dict[str, list[str]]], tmp_path: Path):
    api, taken = hub
    (tmp_path / "README.md").write_text('---\nlicense: "Apache-2.0"\n---\n# A model\n')
    with pytest.raises(ValueError, match="license"):
        api.upload_folder(repo_id="me/it", folder_path=tmp_path)
    assert not taken
