"""A proxy in front of a plain-text server. It terminates TLS and, for a Kafka broker, SASL.

The embedded servers have neither, and clients have to be tested with real handshakes. The login is checked
by the RFCs (4616 PLAIN, 5802 SCRAM, 7628 OAUTHBEARER), not with the client's code.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

HANDSHAKE, AUTHENTICATE, VERSIONS = 17, 36, 18  # Kafka's api keys
UNSUPPORTED_MECHANISM, AUTHENTICATION_FAILED = 33, 58


@dataclass
class Gate:
    """`mechanism` None: no login. `let_in`: the logins that passed."""

    behind: int  # port
    tls: ssl.SSLContext | None = None
    mechanism: str | None = None
    username: str = ""
    secret: str = ""
    port: int = 0
    let_in: list[tuple[str, str]] = field(default_factory=list)
    turned_away: int = 0

    @contextmanager
    def open(self) -> Iterator["Gate"]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), loop).result(10)
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._close(), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _listen(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)  # transports need some turns of the event loop to close

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        server, to_server = await asyncio.open_connection("127.0.0.1", self.behind)
        try:
            if self.mechanism and not await self._login(client, to_client, server, to_server):
                self.turned_away += 1
                return
            pipes = [
                asyncio.create_task(_pipe(client, to_server)),
                asyncio.create_task(_pipe(server, to_client)),
            ]
            self._tasks.update(pipes)
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)
            self._tasks.difference_update(pipes)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has left
        finally:
            to_server.close()
            to_client.close()

    async def _login(self, client, to_client, server, to_server) -> bool:
        """Kafka's login. A client may ask for versions first. Any other request closes the connection."""
        login = None
        while True:
            request = await _frame(client)
            key, version, correlation, name = struct.unpack(">hhih", request[:10])
            body = request[10 + max(name, 0) :]
            if key == VERSIONS:
                to_server.write(_framed(request))
                to_client.write(_framed(await _frame(server)))
            elif key == HANDSHAKE and version == 1:
                asked = body[2:].decode()
                known = asked == self.mechanism
                login = self._check(asked) if known else None
                error = 0 if known else UNSUPPORTED_MECHANISM
                offered = self.mechanism.encode()
                reply = struct.pack(">ihih", correlation, error, 1, len(offered)) + offered
                to_client.write(_framed(reply))
                if not known:
                    return False
                next(login)
            elif key == AUTHENTICATE and version in (0, 1) and login:
                answer = login.send(body[4:])
                done = answer in (True, False)
                error, token = (0, b"") if answer is True else (AUTHENTICATION_FAILED, b"")
                if not done:
                    error, token = 0, answer
                reply = struct.pack(">ihhi", correlation, error, -1, len(token)) + token
                to_client.write(_framed(reply + (struct.pack(">q", 0) if version == 1 else b"")))
                if answer is False:
                    return False
                if answer is True or (isinstance(answer, bytes) and answer.startswith(b"v=")):
                    return True
            else:
                return False

    def _check(self, mechanism: str):
        """A generator: takes client messages and yields answers. True accepts the login, False refuses it."""
        if mechanism == "PLAIN":
            message = yield
            acting_as, user, password = message.decode().split("\0")
            good = acting_as in ("", user) and (user, password) == (self.username, self.secret)
            yield self._note(mechanism, good)
        elif mechanism == "OAUTHBEARER":
            message = yield
            good = message == f"n,,\x01auth=Bearer {self.secret}\x01\x01".encode()
            yield self._note(mechanism, good)
        else:
            yield from self._scram(mechanism)

    def _scram(self, mechanism: str):
        algorithm = mechanism.removeprefix("SCRAM-").replace("-", "").lower()  # sha256

        def mac(key, text):
            return hmac.digest(key, text, algorithm)

        first = (yield).decode().removeprefix("n,,")
        asked = dict(part.split("=", 1) for part in first.split(","))
        salt, nonce = os.urandom(16), asked["r"] + "0123"
        challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i=4096"
        final = (yield challenge.encode()).decode()
        without_proof, _, proof = final.rpartition(",p=")
        salted = hashlib.pbkdf2_hmac(algorithm, self.secret.encode(), salt, 4096)
        client_key = mac(salted, b"Client Key")
        spoken = f"{first},{challenge},{without_proof}".encode()
        signature = mac(hashlib.new(algorithm, client_key).digest(), spoken)
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        good = (asked["n"], f"c=biws,r={nonce}", base64.b64decode(proof)) == (
            self.username,
            without_proof,
            expected,
        )
        if self._note(mechanism, good):
            yield b"v=" + base64.b64encode(mac(mac(salted, b"Server Key"), spoken))
        yield False

    def _note(self, mechanism: str, good: bool) -> bool:
        if good:
            self.let_in.append((mechanism, self.username))
        return good


async def _frame(stream: asyncio.StreamReader) -> bytes:
    (size,) = struct.unpack(">i", await stream.readexactly(4))
    return await stream.readexactly(size)


def _framed(payload: bytes) -> bytes:
    return struct.pack(">i", len(payload)) + payload


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65536):
        sink.write(chunk)
        await sink.drain()
