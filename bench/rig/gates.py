"""Proxies between the workers and their dependencies. Each can delay, refuse or cut connections."""

import asyncio
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
CHUNK = 2**18
PRODUCE, JOIN_GROUP = 0, 11  # Kafka's API keys


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], seconds: float = 30) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(seconds)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Gate:
    """Passes bytes both ways. Any thread may set `delay_seconds` or `refuses` at any time."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        self.connect = connect
        self.delay_seconds = 0.0  # delay of each chunk of an answer
        self.refuses = False
        self.taken_bytes = 0  # bytes of answers to the workers
        self._open: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def listen_on_port(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=CHUNK)

    async def listen_on_socket(self, path: Path) -> None:
        self._server = await asyncio.start_unix_server(self._serve, path, limit=CHUNK)

    async def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def close(self) -> None:
        self._server.close()
        for task in self._pumps:
            task.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.refuses:
                raise ConnectionRefusedError
            server_reader, server_writer = await self.connect()
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer}
        ours = _is_ours(writer)
        for pump in (
            self._up(reader, server_writer, ours=ours),
            self._down(server_reader, writer, ours=ours),
        ):
            task = asyncio.create_task(self._until_closed(pump, writer, server_writer))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _until_closed(self, pump: Coroutine[Any, Any, None], *writers: asyncio.StreamWriter) -> None:
        try:
            await pump
        except (OSError, EOFError):
            pass  # one side closed the connection, so close the other
        finally:
            for writer in writers:
                writer.transport.abort()
                self._open.discard(writer)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, ours: bool) -> None:
        while piece := await reader.read(CHUNK):
            writer.write(piece)
            await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, ours: bool) -> None:
        while piece := await reader.read(CHUNK):
            self.taken_bytes += 0 if ours else len(piece)
            if self.delay_seconds and not ours:
                await asyncio.sleep(self.delay_seconds)
            writer.write(piece)
            await writer.drain()


class KafkaGate(Gate):
    """Passes requests one by one. Closes the connection if a worker produces to a topic in `unwritable`.

    Connections of this process always pass, because its published records must be acknowledged.
    """

    unwritable: frozenset[bytes] = frozenset()
    joins = 0  # how often workers joined their group

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, ours: bool) -> None:
        while True:
            size = await reader.readexactly(4)
            request = await reader.readexactly(struct.unpack(">i", size)[0])
            [operation] = struct.unpack_from(">h", request)
            if operation == PRODUCE and not ours and any(topic in request for topic in self.unwritable):
                return
            self.joins += operation == JOIN_GROUP
            writer.write(size + request)
            await writer.drain()


def _is_ours(writer: asyncio.StreamWriter) -> bool:
    peer = writer.get_extra_info("peername")
    if not isinstance(peer, tuple):
        return False
    here = psutil.Process().net_connections(kind="tcp4")
    return any(each.laddr and each.laddr.port == peer[1] for each in here)
