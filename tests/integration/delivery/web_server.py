"""An HTTP server of its own process: plays Slack's Web API and incoming webhooks, and a receiver of webhooks.

    python web_server.py FOLDER [CERTIFICATE KEY]

Prints its port, then serves until standard input ends. Every request it read to the end is kept as
FOLDER/<number>.json with `taken`: whether a real receiver would have acted on it. What it does follows from
the first line of FOLDER/behave/<name>, taken away by the request; <name> is a method of Slack, `upload`,
`services` (incoming webhook) or `hook`. Without a line it does what is asked.

    status CODE [RETRY-AFTER]    answers so, taking nothing
    text CODE WORDS              the same with a body
    redirect ADDRESS             302
    error CODE                   200, {"ok": false, "error": CODE}
    drop                         takes it, closes without an answer
    refuse                       closes before it has read the body
    slow SECONDS                 takes it, answers late
    drip                         takes it, answers one byte at a time without an end
    huge CODE                    answers with a body without an end
    html                         200 with a page

FOLDER/behave/scopes names the scopes of the bot's token, else it has what it needs.
"""

from __future__ import annotations

import base64
import itertools
import json
import ssl
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

TOKEN = "xoxb-test-token"
CHANNELS = {"#general": "C0GENERAL1", "#board": "C0BOARD001"}
LIMITS = {"blocks": 50, "header": 150, "text": 3000, "field": 2000, "fields": 10, "elements": 10}


class Slack:
    """As much of Slack as metricpress uses: what it refuses, the real one refuses."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.numbers = itertools.count(1)
        self.lengths: dict[str, int] = {}
        self.uploaded: set[str] = set()
        self.threads: set[tuple[str, str]] = set()

    def answer(self, method: str, content_type: str, token: str, body: bytes) -> dict[str, Any]:
        if token != f"Bearer {TOKEN}":
            return {"ok": False, "error": "invalid_auth"}
        if method == "chat.postMessage":
            return self.post(json.loads(body))
        if method == "auth.test":
            return {"ok": True, "user": "metricpress", "team": "Gyms", "team_id": "T1", "bot_id": "B1"}
        if "form" not in content_type:  # these two do not read JSON
            return {"ok": False, "error": "invalid_arguments"}
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if method == "files.getUploadURLExternal":
            return self.ask(form)
        return self.complete(form)

    def post(self, message: dict[str, Any]) -> dict[str, Any]:
        wrong = wrong_blocks(message.get("blocks", []))
        if wrong:
            return {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": wrong}}
        channel = CHANNELS.get(message["channel"], message["channel"])
        if channel.startswith("#"):
            return {"ok": False, "error": "channel_not_found"}
        ts = f"1760000000.{next(self.numbers):06}"
        self.threads.add((channel, ts))
        return {"ok": True, "channel": channel, "ts": ts}

    def ask(self, form: dict[str, str]) -> dict[str, Any]:
        file_id = f"F{next(self.numbers):08}"
        self.lengths[file_id] = int(form["length"])
        return {"ok": True, "upload_url": f"{self.base}/upload/{file_id}", "file_id": file_id}

    def complete(self, form: dict[str, str]) -> dict[str, Any]:
        ids = [file["id"] for file in json.loads(form["files"])]
        if not ids or not set(ids) <= self.uploaded:
            return {"ok": False, "error": "file_not_found"}
        if (form["channel_id"], form["thread_ts"]) not in self.threads:
            return {"ok": False, "error": "channel_not_found"}
        return {"ok": True, "files": [{"id": name} for name in ids]}


def wrong_blocks(blocks: list[dict[str, Any]]) -> list[str]:
    """Each violation of the limits of Slack's reference of blocks."""
    found = [] if 0 < len(blocks) <= LIMITS["blocks"] else ["number of blocks"]
    for block in blocks:
        if block["type"] == "header" and not 0 < len(block["text"]["text"]) <= LIMITS["header"]:
            found.append("header")
        if block["type"] == "section":
            if "text" in block and not 0 < len(block["text"]["text"]) <= LIMITS["text"]:
                found.append("text")
            fields = block.get("fields", [])
            if len(fields) > LIMITS["fields"] or not ("text" in block or fields):
                found.append("number of fields")
            found += ["field" for field in fields if not 0 < len(field["text"]) <= LIMITS["field"]]
        if block["type"] == "context" and not 0 < len(block["elements"]) <= LIMITS["elements"]:
            found.append("elements")
    return found


class Server(ThreadingHTTPServer):
    daemon_threads = True
    folder: Path
    slack: Slack
    numbers = itertools.count(1)
    lock = threading.Lock()

    def behaviour(self, name: str) -> list[str]:
        path = self.folder / "behave" / name
        with self.lock:
            lines = path.read_text().splitlines() if path.exists() else []
            if lines:
                path.write_text("\n".join(lines[1:]))
        return lines[0].split() if lines else ["do"]

    def keep(self, request: dict[str, Any]) -> None:
        with self.lock:
            number = next(self.numbers)
        partial = self.folder / f".{number}.partial"
        partial.write_text(json.dumps(request))
        partial.rename(self.folder / f"{number}.json")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        name = self.path.removeprefix("/api/").strip("/").partition("/")[0].partition("?")[0]
        verb, *arguments = self.server.behaviour(name)
        if verb == "refuse":
            self.close_connection = True
            self.connection.close()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        act = getattr(self, f"_{verb}")
        taken = verb in ("drop", "slow", "drip", "html") or (verb == "huge" and arguments[0] == "200")
        answer = self.result(name, body) if verb in ("do", "slow", "drop", "drip") else None
        if isinstance(answer, dict):
            taken = bool(answer["ok"])
        self.server.keep(
            {
                "verb": self.command,
                "path": self.path,
                "name": name,
                "headers": dict(self.headers.items()),
                "body": base64.b64encode(body).decode(),
                "taken": taken or verb == "do",
                "answer": answer,
            }
        )
        with suppress(OSError):
            act(answer, *arguments)

    def result(self, name: str, body: bytes) -> dict[str, Any] | str:
        """What the receiver says to a request it takes."""
        slack = self.server.slack
        if self.path.startswith("/api/"):
            kind, token = self.headers["Content-Type"], self.headers.get("Authorization", "")
            return slack.answer(name, kind, token, body)
        if name == "upload":
            file_id = self.path.rpartition("/")[2]
            if len(body) != slack.lengths.get(file_id):
                return {"ok": False, "error": "length"}
            slack.uploaded.add(file_id)
        if name == "services":
            wrong = wrong_blocks(json.loads(body)["blocks"])
            return f"invalid_blocks {wrong}" if wrong else "ok"
        return "thanks"

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _do(self, answer: Any) -> None:
        if isinstance(answer, dict):
            scopes = self.server.folder / "behave" / "scopes"
            granted = scopes.read_text() if scopes.exists() else "chat:write,files:write,chat:write.public"
            body = json.dumps(answer).encode()
            self.reply(200, body, Content_Type="application/json", X_OAuth_Scopes=granted)
        else:
            self.reply(200, answer.encode(), Content_Type="text/plain")

    def _status(self, answer: Any, code: str, retry_after: str = "") -> None:
        self.reply(int(code), b"", **({"Retry_After": retry_after.replace("_", " ")} if retry_after else {}))

    def _text(self, answer: Any, code: str, *words: str) -> None:
        self.reply(int(code), " ".join(words).encode(), Content_Type="text/plain")

    def _redirect(self, answer: Any, address: str) -> None:
        self.reply(302, b"", Location=address)

    def _error(self, answer: Any, code: str) -> None:
        self._do({"ok": False, "error": code})

    def _drop(self, answer: Any) -> None:
        self.close_connection = True

    def _slow(self, answer: Any, seconds: str) -> None:
        time.sleep(float(seconds))
        self._do(answer)

    def _drip(self, answer: Any) -> None:
        self.close_connection = True
        for letter in "HTTP/1.1 200 OK\r\nX-Long: " + "x" * 10_000:
            self.connection.sendall(letter.encode())
            time.sleep(0.05)

    def _huge(self, answer: Any, code: str) -> None:
        self.close_connection = True
        self.send_response(int(code))
        self.end_headers()
        while True:
            self.wfile.write(b"no end of it " * 10_000)

    def _html(self, answer: Any) -> None:
        self.reply(200, b"<html>Welcome to the hotel's network</html>", Content_Type="text/html")


def main() -> None:
    folder = Path(sys.argv[1])
    server = Server(("127.0.0.1", 0), Handler)
    server.folder = folder
    server.slack = Slack(f"http://127.0.0.1:{server.server_port}")
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
