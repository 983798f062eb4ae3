"""Requests and answers over a Unix socket, one after the other.

A frame is two sizes, a JSON head and raw float32 vectors. Nothing in it is ever executed.
"""

import asyncio
import signal
import socket as sockets
import struct
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MAX_FRAME_BYTES = 256 * 2**20
STREAM_BUFFER_BYTES = 4 * 2**20

_SIZES = struct.Struct("<II")


class Frame(NamedTuple):
    head: bytes  # JSON
    body: bytes = b""  # float32 vectors, row after row


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    head, body = _SIZES.unpack(await reader.readexactly(_SIZES.size))
    if head + body > MAX_FRAME_BYTES:
        raise ConnectionError(f"frame of {head + body:,} bytes; {MAX_FRAME_BYTES:,} is the most")
    return Frame(await reader.readexactly(head), await reader.readexactly(body))


async def write_frame(writer: asyncio.StreamWriter, frame: Frame) -> None:
    writer.write(_SIZES.pack(len(frame.head), len(frame.body)) + frame.head)
    writer.write(frame.body)
    await writer.drain()


class Connection:
    """Answers come in the order of the questions, so several may be under way."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._waiting: deque[asyncio.Future[Frame | None]] = deque()
        self._receiving = asyncio.create_task(self._receive(reader))

    @classmethod
    async def open(cls, socket: Path) -> "Connection":
        return cls(*await asyncio.open_unix_connection(socket, limit=STREAM_BUFFER_BYTES))

    @property
    def closed(self) -> bool:
        return self._receiving.done()

    async def ask(self, frame: Frame) -> Frame:
        answer: asyncio.Future[Frame | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        await write_frame(self._writer, frame)
        reply = await answer
        if reply is None:
            raise ConnectionResetError("connection lost before the answer came")
        return reply

    async def close(self) -> None:
        self._receiving.cancel()
        await asyncio.wait([self._receiving])

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                frame = await read_frame(reader)
                _settle(self._waiting.popleft(), frame)
        except (OSError, EOFError):
            pass  # whoever waits is told below
        finally:
            self._writer.close()
            for answer in self._waiting:
                _settle(answer, None)


def _settle(answer: "asyncio.Future[Frame | None]", frame: Frame | None) -> None:
    if not answer.done():  # its caller may have given up
        answer.set_result(frame)


async def serve(answer: Callable[[Frame], Frame], socket: sockets.socket) -> None:
    """Until SIGTERM, SIGINT, or the end of standard input."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    await loop.connect_read_pipe(lambda: _Parent(stopping), sys.stdin)
    clients: set[asyncio.StreamWriter] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.add(writer)
        try:
            while True:
                await write_frame(writer, answer(await read_frame(reader)))
        except (OSError, EOFError):
            pass  # the client left
        finally:
            clients.discard(writer)
            writer.close()

    server = await asyncio.start_unix_server(converse, sock=socket, limit=STREAM_BUFFER_BYTES)
    try:
        print("ready", flush=True)
    except BrokenPipeError:  # whoever started this process has gone: there is nobody to serve
        raise SystemExit(0) from None
    await stopping.wait()
    server.close()
    for writer in clients:
        writer.close()


class _Parent(asyncio.Protocol):
    """Standard input closes when the process that started this one is gone, however it went."""

    def __init__(self, gone: asyncio.Event) -> None:
        self._gone = gone

    def connection_lost(self, _: Exception | None) -> None:
        self._gone.set()


def listen(path: Path) -> sockets.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    listener = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    if path.is_socket():
        with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
            if probe.connect_ex(str(path)) == 0:
                sys.exit(f"{path} is served by another process; stop it or choose another socket")
        path.unlink()
    listener.bind(str(path))
    path.chmod(0o600)
    return listener
