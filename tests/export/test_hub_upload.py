"""What a hub is sent of an exported folder: a stand-in on loopback checks the card as the hub does, and takes the files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import HfApi
from loopback import Asked, json_server

from rft.export.cards import licence_head

MODELS = Path(__file__).resolve().parents[2] / "conf" / "model"
IDS = {"apache-2.0", "mit", "llama2", "llama3.1", "llama3.2", "other"}  # of those that the hub takes
LICENCES = sorted({str(yaml.safe_load(path.read_text()).get("licence") or "") for path in MODELS.glob("*.yaml")})


class Hub:
    """Creates a repository, validates a card's head, takes a commit of plain files."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        place = f"http://{asked.headers['Host']}/me/it"
        if asked.path.endswith("validate-yaml"):
            return self._validated(yaml.safe_load(json.loads(asked.body)["content"].split("---")[1]) or {})
        if "/preupload/" in asked.path:
            files = json.loads(asked.body)["files"]
            return 200, {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
        if "/commit/" in asked.path:
            lines = [json.loads(line) for line in asked.body.decode().splitlines()]
            self.taken = sorted(line["value"]["path"] for line in lines if line["key"] == "file")
            return 200, {"commitUrl": f"{place}/commit/{'0' * 40}", "commitOid": "0" * 40, "success": True}
        return 200, {"url": place, "sha": "0" * 40, "siblings": [], "id": "me/it"}

    @staticmethod
    def _validated(head: dict[str, Any]) -> tuple[int, Any]:
        named = head.get("license")  # none is allowed
        fault = named not in (None, *IDS) or (named == "other") != ("license_name" in head)
        errors = [{"message": '"license" must be one of ...'}] * fault
        return 400 if fault else 200, {"errors": errors, "warnings": []}


@pytest.fixture
def hub() -> Iterator[tuple[HfApi, Hub]]:
    answering = Hub()
    with json_server(answering) as url:
        yield HfApi(endpoint=url, token="hf_none"), answering


@pytest.mark.parametrize("licence", LICENCES)
def test_a_card_is_taken_whatever_the_models_licence(hub: tuple[HfApi, Hub], tmp_path: Path, licence: str):
    """The hub refuses a whole folder for a licence that is none of its identifiers: `Apache-2.0` is none."""
    api, answering = hub
    head = "\n".join(f"{name}: {json.dumps(value)}" for name, value in licence_head(licence).items())
    (tmp_path / "README.md").write_text(f"---\n{head}\n---\n# A model\n")
    (tmp_path / "config.json").write_text("{}")
    api.upload_folder(repo_id="me/it", folder_path=tmp_path)
    assert answering.taken == ["README.md", "config.json"]


def test_the_stand_in_refuses_what_the_hub_refuses(hub: tuple[HfApi, Hub], tmp_path: Path):
    api, answering = hub
    (tmp_path / "README.md").write_text('---\nlicense: "Apache-2.0"\n---\n# A model\n')
    with pytest.raises(ValueError, match="license"):
        api.upload_folder(repo_id="me/it", folder_path=tmp_path)
    assert not answering.taken
