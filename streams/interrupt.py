"""Coroutines that Ctrl-C ends."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

INSIST_SECONDS = 1.0

T = TypeVar("T")


def run_interruptibly(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` that Ctrl-C ends although a library swallows the cancellation.

    aiokafka swallows it while it closes a client (findings/aiokafka-close-swallows-cancellation.sh). So
    Ctrl-C cancels `main`, and cancels it again every second until it has ended. Then the handler that was
    there before takes the signal; Python's own raises `KeyboardInterrupt`. For the main thread only.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        return asyncio.run(main)
    pressed = _Pressed()
    signal.signal(signal.SIGINT, pressed)
    try:
        return asyncio.run(_insisting(main, pressed))
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


class _Pressed:
    """A signal handler that remembers, and tells `woken`."""

    def __init__(self) -> None:
        self._pressed = False
        self.woken: Callable[[], object] = lambda: None

    def __call__(self, *_: object) -> None:
        self._pressed = True
        self.woken()

    def __bool__(self) -> bool:
        return self._pressed


async def _insisting(main: Coroutine[Any, Any, T], pressed: _Pressed) -> T:
    loop, interrupt = asyncio.get_running_loop(), asyncio.Event()
    pressed.woken = lambda: loop.is_closed() or loop.call_soon_threadsafe(interrupt.set)
    if pressed:
        interrupt.set()
    work, waiting = asyncio.ensure_future(main), asyncio.ensure_future(interrupt.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    while pressed and not work.done():
        work.cancel()
        await asyncio.wait({work}, timeout=INSIST_SECONDS)
    return work.result()
