"""A receiver of webhooks on this machine, in a thread of its own: it answers as a test wants and keeps what it gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What it answers: a status, headers, and a body, which may be without end."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    endless: bool = False


class Receiver:
    """Each content by its key, in `pages`; each request with its headers in `requests`. `answers` are used up first."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[Mapping[str, str], bytes]] = []
        self.pages: dict[str, Any] = {}
        self._closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((dict(self.headers), content))
                answer = receiver.answers.pop(0) if receiver.answers else Answer()
                if answer.status < 300:
                    receiver.pages[self.headers["Idempotency-Key"]] = json.loads(content)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.endless:
                    self.end_headers()
                    while not receiver._closing.wait(0.01):
                        self.wfile.write(answer.body)
                    return
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def do_GET(self) -> None:
                receiver.requests.append((dict(self.headers), self.path.encode()))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a sink that hangs up is no news
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/in"

    @property
    def rows(self) -> Sequence[Any]:
        """The rows of all pages that were taken, in order."""
        return [row for page in self.pages.values() for row in page["rows"]]

    def close(self) -> None:
        """Take nothing more."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
