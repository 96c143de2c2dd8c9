"""The server answers its own name on the loopback address for its own names alone; a static folder holds the same."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from explored import hostile_study

from analysis.explore.opened import Opened, open_study
from analysis.explore.page import FOLDER, assets
from analysis.explore.server import Server, make_server
from analysis.explore.static import write_static
from rft.cli import call


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return open_study([hostile_study(tmp_path_factory.mktemp("studies") / "hostile")])


@pytest.fixture(scope="module")
def server(study: Opened) -> Iterator[Server]:
    with make_server(study, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: Server, path: str, *, method: str = "GET", host: str | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply, content


def test_it_listens_on_the_loopback_address_alone(server: Server):
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "localhost.evil:{port}"]
)
@pytest.mark.parametrize("path", ["/", "/data/index.json.gz"])
def test_another_host_name_reads_nothing(server: Server, host: str, path: str):
    reply, content = ask(server, path, host=host.format(port=server.server_port))
    assert reply.status == 403
    assert content == b"not the name of this server"


def test_both_own_names_do(server: Server):
    for name in ("127.0.0.1", "localhost"):
        assert ask(server, "/", host=f"{name}:{server.server_port}")[0].status == 200


PATHS = (
    "/../../etc/passwd", "/data/../../study.json", "/data/cells/../../3/samples.jsonl", "/%2e%2e/page.py", "/page.py",
    "//etc/passwd",
    "/3/samples.jsonl", "/data/", "/data/cells/3.json", "/assets/main.js", "/data/cells/3.json.gz/", "/index.html%00", "/.",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_to_the_disk(server: Server, path: str):
    assert ask(server, path)[0].status == 404


@pytest.mark.parametrize("path", ["/", "/main.js", "/data/index.json.gz", "/nothing"])
def test_every_answer_carries_the_policy(server: Server, path: str):
    reply, _ = ask(server, path)
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Access-Control-Allow-Origin"] is None


def test_head_has_the_length_and_nothing_else_is_a_method(server: Server):
    full, head = ask(server, "/style.css"), ask(server, "/style.css", method="HEAD")
    assert head[1] == b""
    assert head[0].headers["Content-Length"] == str(len(full[1]))
    assert ask(server, "/", method="POST")[0].status == 501


def test_a_static_folder_holds_what_the_server_answers(server: Server, study: Opened, tmp_path: Path):
    write_static(study, out=tmp_path / "public")
    files = [path for path in (tmp_path / "public").rglob("*") if path.is_file()]
    assert len(files) == len(assets()) + len(list(server.documents.names()))
    for path in files:
        assert ask(server, f"/{path.relative_to(tmp_path / 'public')}")[1] == path.read_bytes()


def test_an_earlier_explorer_is_replaced_and_other_files_are_not(study: Opened, tmp_path: Path):
    out = tmp_path / "public"
    write_static(study, out=out)
    (out / "data" / "cells" / "999.json.gz").write_bytes(b"of another study")
    write_static(study, out=out)
    assert not (out / "data" / "cells" / "999.json.gz").exists()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match=r"other files \(thesis.tex\)"):
        write_static(study, out=out)
    assert (out / "index.html").is_file()


def test_the_command_writes_and_says_what_is_wrong(study: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = next(iter(study.roots.values()))
    assert call(["explore", str(folder), "--out", str(tmp_path / "public")]) == 0
    assert f"{len(study.cells)} cells in {tmp_path / 'public'}" in capsys.readouterr().out
    assert call(["explore", str(tmp_path / "none")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def test_a_port_in_use_is_said(server: Server, study: Opened, capsys: pytest.CaptureFixture[str]):
    folder = next(iter(study.roots.values()))
    assert call(["explore", str(folder), "--port", str(server.server_port)]) == 2
    assert "--port 0" in capsys.readouterr().err


UNSAFE = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|setHTML|eval\(|new Function|https?://(?!www\.w3\.org/2000/svg)"
)


def test_the_page_parses_no_html_and_loads_nothing_from_elsewhere():
    for name, asset in assets().items():
        text = asset.content.decode()
        assert UNSAFE.findall(text) == [], name
        assert text.count("\n") < 300
    page = assets()["index.html"].content.decode()
    assert re.findall(r"<script[^>]*>[^<]", page) == []
    assert re.findall(r'<[^>]* (?:on\w+|style)="', page) == []
    assert "{{" not in page


def test_every_module_that_is_imported_ships():
    for path in FOLDER.glob("*.js"):
        for name in re.findall(r'from "\./([\w.]+)"', path.read_text()):
            assert (FOLDER / name).is_file(), f"{path.name} imports {name}"


def test_no_name_is_imported_that_is_not_used():
    for path in FOLDER.glob("*.js"):
        text = path.read_text()
        for names in re.findall(r"import \{([^}]+)\} from", text):
            for name in (one.strip() for one in names.split(",")):
                assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{path.name}: {name}"
