"""A Hugging Face hub on loopback: one repository's files over the requests that snapshot_download makes."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "a" * 40


@dataclass(kw_only=True)
class FakeHub:
    """``files`` of ``repository`` by name; ``asked`` is what was requested of it."""

    repository: str
    files: dict[str, bytes]
    commit: str = COMMIT
    url: str = ""
    asked: list[str] = field(default_factory=list)


def of_folder(repository: str, folder: Path, *, commit: str = COMMIT) -> FakeHub:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return FakeHub(repository=repository, files=files, commit=commit)


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """The hub, at ``hub.url`` while the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.asked.append(self.path)
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def log_message(self, *_: Any) -> None:
            pass

        def _answer(self) -> None:
            path = self.path.partition("?")[0]
            if re.fullmatch(rf"/api/models/{hub.repository}(/revision/\w+)?", path):
                self._json(
                    {"id": hub.repository, "modelId": hub.repository, "sha": hub.commit, "siblings": []}
                )
            elif path.startswith(f"/api/models/{hub.repository}/tree/{hub.commit}"):
                self._json([_entry(name, data) for name, data in hub.files.items()])
            elif path.startswith(f"/{hub.repository}/resolve/{hub.commit}/"):
                self._file(path.partition(f"/resolve/{hub.commit}/")[2])
            else:
                self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

        def _json(self, content: Any) -> None:
            self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

        def _file(self, name: str) -> None:
            data = hub.files.get(name)
            if data is None:
                self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
                return
            digest = hashlib.sha256(data).hexdigest()
            self._send(200, data, {"ETag": f'"{digest}"', "X-Repo-Commit": hub.commit})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _entry(name: str, data: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
