"""Workers and the index killed while events flow. Nothing is lost, and nothing is invented.

The tests run in order on one stack; each leaves a worker behind for the next.
"""

import random
import signal
import time
from contextlib import ExitStack, contextmanager, nullcontext

import pytest

from schemas.match import Side
from streams.embedded import edge_index, embedded_stack
from streams.lag import lag

SEED = 20261122
ENTITIES = 80
GROUP = "rolecall"
COMMIT_SECONDS = 1.0  # broker_commit_interval


class Ward:
    """A stack whose worker and index can be killed and started again."""

    def __init__(self, kit, stack, directory, running):
        self._kit = kit
        self._directory = directory
        self._running = running
        self._index = (directory / "index", stack.edge_socket.with_name("chaos.sock"))
        self._environment = (
            stack.environment()
            | kit.wide
            | {
                "ROLECALL_EDGE_SOCKET": str(self._index[1]),
                "ROLECALL_BATCH_SIZE": "8",
                "ROLECALL_SESSION_TIMEOUT_SECONDS": "3",
            }
        )
        self._started = 0
        self.wire = kit.wire(stack.broker)
        self.stored = kit.stored(self.wire, *self._index)
        self.worker = None
        self.start_index()

    def start_worker(self, **settings):
        self._started += 1
        log = self._directory / f"worker-{self._started}.jsonl"
        self.worker = self._running.enter_context(self._kit.running_worker(self._environment | settings, log))

    def start_index(self):
        self.index = self._running.enter_context(edge_index(*self._index))

    @contextmanager
    def frozen_index(self):
        """Hold the worker in a batch for longer than it takes to commit what was acked too early."""
        self.index.send_signal(signal.SIGSTOP)
        time.sleep(2.5 * COMMIT_SECONDS)
        yield
        self.index.send_signal(signal.SIGCONT)

    def lag(self):
        return self.wire.run(lag(self.wire.broker, GROUP))

    def effects(self):
        return len(self.wire.matches) + len(self.wire.withdrawn) + len(self.wire.letters)

    def keep_busy(self, records, effects):
        """Return while the worker is in the middle of them: half come when the first half shows effects."""
        before, half = self.effects(), len(records) // 2
        sent = self.wire.send_all(records[:half])
        self.wire.until(lambda: self.effects() >= before + effects, f"{effects} effects")
        return sent + self.wire.send_all(records[half:])


@pytest.fixture(scope="module")
def ward(kit, tmp_path_factory):
    directory = tmp_path_factory.mktemp("chaos")
    with embedded_stack(directory / "stack") as stack, ExitStack() as running:
        ward = Ward(kit, stack, directory, running)
        running.callback(ward.wire.close)
        ward.start_worker()
        yield ward


@pytest.fixture
def check(ward, holding):
    """Whatever happened: the same as if nothing had."""

    def undisturbed(history, sent, poison=()):
        ward.wire.settle(GROUP)
        places = {each.place for each in sent}
        assert {place for place in ward.wire.letters if place in places} == {each.place for each in poison}
        for side in Side:
            points = ward.stored.points(side, history.ids(side))
            assert {(side, id): point.revision for id, point in points.items()} == {
                key: revision for key, revision in history.revisions.items() if key[0] is side
            }
        assert holding(history.own(ward.wire.matches), ward.wire.withdrawn) == history.expected()

    return undisturbed


@pytest.fixture
def flow(kit, request):
    """A history of its own for each test, in as many parts as it wants."""

    def make(parts, poison=()):
        history = kit.history(SEED, request.node.name, ENTITIES)
        records = [*history.records, *poison]
        random.Random(SEED).shuffle(records)
        return history, [records[part::parts] for part in range(parts)]

    return make


def test_killed_again_and_again_nothing_is_lost(ward, kit, flow, check):
    rng = random.Random(SEED)
    poison = [
        kit.sent(kit.topic[rng.choice(list(Side))], b"poison-%d" % number, b'{"id": "poison-%d"' % number)
        for number in range(12)
    ]
    history, parts = flow(3, poison)
    sent = []
    for part, hold in zip(parts, (ward.frozen_index, nullcontext), strict=False):
        sent += ward.keep_busy(part, effects=rng.randint(1, 300))
        time.sleep(rng.uniform(0, 0.05))  # anywhere in a batch, not always at the same step
        with hold():
            ward.worker.process.kill()
            ward.worker.process.wait()
        assert ward.lag() > 0, "killed after the work was done"
        ward.start_worker()
    sent += ward.wire.send_all(parts[-1])
    check(history, sent, [each for each in sent if each.key.startswith(b"poison")])


def test_a_killed_index_is_waited_for(ward, kit, flow, check):
    history, [records] = flow(1)
    sent = ward.keep_busy(records, effects=50)
    ward.index.kill()
    ward.index.wait()
    kit.poll(lambda: ward.worker.lines("retry"), "a retry")
    ward.start_index()
    check(history, sent)
    assert ward.worker.process.poll() is None


def test_asked_to_stop_it_ends_in_good_order_and_in_time(ward, flow, check):
    history, parts = flow(2)
    sent = ward.keep_busy(parts[0], effects=50)
    asked = time.monotonic()
    ward.worker.process.send_signal(signal.SIGTERM)
    assert ward.worker.process.wait(60) == 0
    assert time.monotonic() - asked < 20
    assert ward.worker.lines("worker_stopped")
    ward.start_worker(ROLECALL_RETRY_SECONDS="0.3")
    sent += ward.wire.send_all(parts[1])
    check(history, sent)


def test_an_index_that_stays_away_ends_the_worker_with_nothing_acked(ward, flow, check):
    history, [records] = flow(1)
    sent = ward.keep_busy(records, effects=50)
    ward.index.kill()
    assert ward.worker.process.wait(60) == 1
    [failure] = ward.worker.lines("worker_failed")
    assert "failed for 0.3 s" in failure["error"]
    ward.start_index()
    ward.start_worker()
    check(history, sent)
