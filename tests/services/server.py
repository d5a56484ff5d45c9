"""The service for these tests. It misbehaves if there are certain files in its folder, or on certain paths."""

import os
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler

NAME = f"{os.environ['PMESH_SERVICE']}/{os.environ['PMESH_INSTANCE']}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, action, *rest = self.path.split("/")
        text = NAME
        if action == "pid":
            text = str(os.getpid())
        elif action == "env":
            text = os.environ.get(rest[0], "(unset)")
        elif action == "say":
            print(rest[0], flush=True)
        elif action == "exit":
            os._exit(int(rest[0]))
        elif action == "sleep":
            time.sleep(float(rest[0]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET

    def log_message(self, format, *arguments):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


def server():
    if "SOCKET" in os.environ:
        return UnixServer(os.environ["SOCKET"], Handler)
    return Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)


if os.path.exists("broken") or "BROKEN" in os.environ:
    sys.exit("the database is missing")
if os.path.exists("slow"):
    time.sleep(1)
with server() as running:
    print("version", os.environ.get("VERSION", "1"), flush=True)
    running.serve_forever()
