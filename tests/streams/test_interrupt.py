"""Ctrl-C ends a coroutine, also one that swallows its cancellation."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from rolecall.streams import interrupt
from rolecall.streams.interrupt import run_interruptibly


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """A background job of a shell ignores the signal, and its children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_the_result_comes_back() -> None:
    async def main() -> int:
        return 7

    assert run_interruptibly(main()) == 7


def test_a_cancellation_that_is_swallowed_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "INSIST_SECONDS", 0.01)
    swallowed = []

    async def main() -> None:
        asyncio.get_running_loop().call_soon(press)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.append(True)
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(main())
    assert swallowed


def test_a_coroutine_that_ends_in_spite_of_it_is_interrupted() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(press)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(main())


def test_what_the_coroutine_stops_on_its_way_out_is_stopped() -> None:
    stopped = []

    async def main() -> None:
        asyncio.get_running_loop().call_soon(press)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            stopped.append(True)

    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(main())
    assert stopped


def test_a_signal_while_the_loop_closes_is_not_lost() -> None:
    async def endless() -> AsyncIterator[None]:
        try:
            while True:
                yield
        finally:
            press()  # asyncio.run closes generators after the coroutine has ended

    generator = endless()

    async def main() -> None:
        await anext(generator)

    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(main())


def test_the_handler_from_before_takes_the_signal() -> None:
    taken: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: taken.append(number))

    async def main() -> None:
        asyncio.get_running_loop().call_soon(press)
        await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        run_interruptibly(main())
    assert taken == [signal.SIGINT]


def test_a_background_job_goes_on_ignoring_the_signal() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def main() -> int:
        press()
        return 7

    assert run_interruptibly(main()) == 7
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
