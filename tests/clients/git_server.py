"""A git repository at an address, by git's own server: what a marketplace on a forge is to a client.

Only what is tracked is in it, so that a file somebody forgot to add is missed here and not by a user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
_NAME = "skillopt.git"


def tracked_repository(root: Path, folder: Path) -> Path:
    """A bare repository in `folder` with the tracked files of the checkout `root` as they are now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout
    work = folder / "work"
    for name in filter(None, os.fsdecode(listed).split("\0")):
        if os.path.lexists(root / name):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, work / name, follow_symlinks=False)
    commit(work, "init", "-q", "-b", "main")
    commit(work, "add", "-f", ".")
    commit(work, "commit", "-qm", "What is tracked")
    commit(folder, "clone", "-q", "--bare", str(work), _NAME)
    return folder / _NAME


def commit(folder: Path, *words: str) -> None:
    """A git command, as somebody."""
    told = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *words], cwd=folder, env={**os.environ, **told}, check=True)


@contextmanager
def served(repository: Path) -> Iterator[str]:
    """The address of a repository while the block runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(repository.parent)) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/{repository.name}"
        finally:
            server.shutdown()


def _handler(folder: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Hands a request to `git http-backend`."""

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            env = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                "HOME": str(folder),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": asked.path,
                "QUERY_STRING": asked.query,
                "CONTENT_TYPE": self.headers.get("content-type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            }
            told = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True).stdout
            head, _, content = told.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  (the name is theirs)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name of the base class)
            """Says nothing."""

    return Handler
