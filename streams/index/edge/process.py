"""The embedded index's process: Qdrant Edge behind a Unix socket.

    python -m rolecall.streams.index.edge.process --path DIRECTORY --socket SOCKET

The engine holds the interpreter lock through whole batches, so it lives outside the worker and serves any
number of them. It answers one request at a time, in order: reading the stored revisions and writing the
points that are newer is one step that no other writer can come between.
"""

import argparse
import asyncio
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson

from rolecall.streams.discretion import guard_logging, guard_process
from rolecall.streams.errors import IndexGone, IndexMismatch, IndexUnavailable
from rolecall.streams.index.edge.protocol import MAX_FRAME_BYTES, Frame, listen, serve
from rolecall.streams.index.edge.shard import OPERATIONS, Shard, check, create
from rolecall.streams.index.port import SPACES, Lookup, space_named
from rolecall.streams.process import PYTHON


def start_edge(path: Path, socket: Path) -> subprocess.Popen[bytes]:
    """Start the index process and wait until it accepts.

    It ends by itself when this process does; `with` (or closing its stdin) ends it in good order.
    """
    command = [
        *PYTHON,
        "rolecall.streams.index.edge.process",
        "--path",
        str(path),
        "--socket",
        str(socket),
    ]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # the other cores are the workers'
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=env,
        start_new_session=True,  # Ctrl-C stops the workers; the index outlives them
    )
    assert process.stdout
    with process.stdout as output:
        if output.readline() == b"ready\n":
            return process
    with process:
        pass
    raise IndexUnavailable(f"the index process for {path} ended at its start; its own message is above")


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the embedded index until standard input closes.")
    parser.add_argument("--path", type=Path, required=True, help="where the points are kept")
    parser.add_argument("--socket", type=Path, required=True, help="the Unix socket to serve on")
    options = parser.parse_args()
    guard_process()
    guard_logging()
    os.umask(0o077)  # no other user may read profiles
    options.path.mkdir(parents=True, exist_ok=True)
    folder = os.open(options.path, os.O_RDONLY)  # open until the process ends, and with it the lock
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # The engine refuses a second load too, but then the first process could not flush any more.
        sys.exit(f"another index process serves {options.path}: stop it, or use another folder")
    collections = Collections(options.path)
    asyncio.run(serve(collections.answer, listen(options.socket)))
    options.socket.unlink(missing_ok=True)
    collections.close()


class Collections:
    """One shard a space and version, loaded when first asked for. Only `prepare` creates one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shards: dict[tuple[str, str, int], Shard] = {}

    def answer(self, frame: Frame) -> Frame:
        request = orjson.loads(frame.head)
        if request["operation"] == "drop":
            self._drop(request["collection"][0])
            return Frame(orjson.dumps({"result": None}))
        version, space, dims = request["collection"]
        try:
            folder = self._folder(version)
            if request["operation"] == "missing":
                gone = [each for each in SPACES if not (folder / each).exists()]
                return Frame(orjson.dumps({"result": gone}))
            if request["operation"] == "prepare":
                if not (folder / space_named(space)).exists():
                    create(folder / space_named(space), dims)
                check(folder / space_named(space), dims)
                if space in set(Lookup):  # loaded when first asked for: each keeps dozens of files open
                    return Frame(orjson.dumps({"result": None}))
            shard = self._shard(*request["collection"])
            if request["operation"] == "search_allowed":
                request["arguments"]["anchors"] = self._shard(version, Lookup.ANCHOR, dims)
        except IndexMismatch as error:
            kind = "gone" if isinstance(error, IndexGone) else "mismatch"
            return Frame(orjson.dumps({kind: str(error)}))
        operation = OPERATIONS[request["operation"]]
        vectors = np.frombuffer(frame.body, np.float32).reshape(-1, shard.dims)
        try:
            result, body = operation(shard, vectors, **request["arguments"])
        except Exception:
            # After a full disk the engine's log never writes again. The next request opens the shard anew.
            del self._shards[tuple(request["collection"])], shard
            raise
        reply = Frame(orjson.dumps({"result": result}), body)
        if (size := len(reply.head) + len(reply.body)) > MAX_FRAME_BYTES:
            reason = (
                f"the answer to {request['operation']} has {size:,} bytes, {MAX_FRAME_BYTES:,} is the most"
            )
            return Frame(orjson.dumps({"refused": reason}))
        return reply

    def close(self) -> None:
        for shard in self._shards.values():
            shard.close()

    def _drop(self, version: str) -> None:
        for key in [key for key in self._shards if key[0] == version]:
            self._shards.pop(key).close()
        folder = self._folder(version)
        if folder.exists():
            doomed = folder.with_name(f".{version}.dropped")  # a kill leaves no half-written folder
            folder.rename(doomed)
            shutil.rmtree(doomed)

    def _folder(self, version: str) -> Path:
        if not re.fullmatch(r"\w[\w.-]*", version):
            raise IndexMismatch(f"model version {version!r} cannot name a folder; use letters and digits")
        return self._path / version

    def _shard(self, version: str, space: str, dims: int) -> Shard:
        key = (version, space, dims)
        if key not in self._shards:
            self._shards[key] = Shard(self._folder(version) / space_named(space), dims)
        return self._shards[key]


if __name__ == "__main__":
    main()
