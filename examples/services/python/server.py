"""A page that says which instance made it. Listens on HOST and PORT, which pmesh sets."""

import itertools
import os
import platform
import socketserver
from html import escape
from http.server import BaseHTTPRequestHandler
from pathlib import Path

HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "8080"))
STYLE = (Path(__file__).parent.parent / "static/style.css").read_text()
REQUESTS = itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/healthz":
            self.answer("text/plain", "ready\n")
            return
        rows = {
            "service": os.environ.get("PMESH_SERVICE", "python"),
            "instance": os.environ.get("PMESH_INSTANCE", "1"),
            "address": f"{HOST}:{PORT}",
            "process": os.getpid(),
            "requests": next(REQUESTS),
            "you asked for": self.headers.get("host", ""),
            "you are": self.headers.get("x-forwarded-for", self.client_address[0]),
        }
        table = "\n".join(f"<tr><th>{name}<td>{escape(str(value))}" for name, value in rows.items())
        self.answer(
            "text/html; charset=utf-8",
            f'<!doctype html><html lang="en"><title>{rows["service"]}</title>\n'
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>\n'
            f'<main class="python"><h1>Python {platform.python_version()}</h1><table>\n{table}\n</table>'
            "<p>Reload the page, and another instance answers.</main></html>\n",
        )

    def answer(self, kind, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        """Keeps requests out of the output: pmesh has an access log."""


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


with Server((HOST, PORT), Handler) as server:
    print(f"listening on {HOST}:{PORT}", flush=True)
    server.serve_forever()
