"""An HTTPS server on loopback, the standard library's, that answers as the test says."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

Answer = Callable[[BaseHTTPRequestHandler], None]


class HttpsServer:
    """`asked` lists what came as (method, Host, path, body)."""

    def __init__(self, tls: ssl.SSLContext, host: str = "127.0.0.1") -> None:
        self.asked: list[tuple[str, str, str, bytes]] = []
        self.status = 200
        self.kind = "text/plain"
        self.body = b""
        self.fields: dict[str, str] = {}
        self.release = threading.Event()
        self.hang = False
        self.drip = False
        self.let_go = threading.Event()
        """The client has ended a connection on which the body came drop by drop."""
        self.tls = tls
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                server.asked.append((self.command, self.headers.get("Host", ""), self.path, body))
                if server.hang:
                    server.release.wait(30)
                    return
                self.send_response(server.status)
                self.send_header("Content-Type", server.kind)
                for name, value in server.fields.items():
                    self.send_header(name, value)
                self.end_headers()
                while server.drip:
                    try:
                        self.wfile.write(b"#")
                    except OSError:
                        server.let_go.set()
                        return
                    server.release.wait(0.02)
                self.wfile.write(server.body)

            do_POST = do_GET  # noqa: N815 - as above

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                return None

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                return None

            def get_request(self):  # type: ignore[no-untyped-def]  # as the library has it
                made, peer = super().get_request()
                made.settimeout(10)
                return server.tls.wrap_socket(made, server_side=True, do_handshake_on_connect=False), peer

        self._server = Quiet((host, 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> HttpsServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drip = False
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
