"""A model replaced, taken back and dropped, and an index rebuilt, while events flow.

The tests run in order on one stack. The second model is the bundled one with its groups in another order: it
scores every pair alike, and a vector of the one is noise to the other.
"""

import asyncio
import json
import shutil
import threading
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import numpy as np
import pytest
import torch

from rolecall.encoder import artifact
from rolecall.encoder.document import document_of
from rolecall.encoder.model import Encoder, weight_shapes
from rolecall.schemas.match import Side
from rolecall.streams.cli.matches import current_state
from rolecall.streams.embedded.stack import edge_index
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.rollout.report import report
from rolecall.streams.rollout.switch import drop, rebuild, roll_back, session, start, status, switch
from rolecall.streams.settings import Settings

ENTITIES = 60
SEED = 20261125
OF_LISTS = {"floor", "held", "listed", "members"}  # of a point; they depend on the order of arrival


@pytest.fixture(scope="module")
def other_model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("other")
    loaded = artifact.load(artifact.BUNDLED, weight_shapes)
    groups, size = loaded.config.shape.groups, loaded.config.shape.size
    rows = torch.arange(groups * size).view(groups, size)[torch.arange(groups).roll(1)].flatten()
    weights = dict(loaded.weights)
    for name in ("head.project.weight", "head.project.bias"):
        weights[name] = weights[name][rows]
    artifact.save(directory, artifact.Artifact(loaded.config, weights, loaded.vocabulary, ()))
    return directory


class Market:
    """A stack, its workers, and a history that is published in small steps all the while."""

    def __init__(self, kit, stack, directory, running, monkeypatch):
        self._kit, self._directory, self._running = kit, directory, running
        self.index_at = (directory / "index", stack.edge_socket.with_name("market.sock"))
        self.environment = (
            stack.environment()
            | kit.wide
            | {"ROLECALL_EDGE_SOCKET": str(self.index_at[1]), "ROLECALL_STOP_SECONDS": "5"}
        )
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        self.settings = Settings()
        self.wire = kit.wire(stack.broker)
        self.history = kit.history(SEED, "roll", ENTITIES)
        self.index = running.enter_context(edge_index(*self.index_at))

    def worker(self, name, **settings):
        log = self._directory / f"{name}.jsonl"
        started = self._kit.running_worker(self.environment | settings, log)
        worker = self._running.enter_context(started)
        self._kit.poll(lambda: worker.lines("worker_started"), f"{name} started")
        return worker

    def run(self, command, *arguments):
        async def run():
            async with session(self.settings) as at:
                return await command(at, *arguments)

        return asyncio.run(run())

    def held(self):
        """What counts now: the pairs, and the models that they are of."""
        matches = asyncio.run(current_state(self.settings)).matches()
        pairs = {(m.vacancy_id, m.vacancy_revision, m.candidate_id, m.candidate_revision) for m in matches}
        return pairs, {match.model_version for match in matches}

    @contextmanager
    def flow(self, records):
        """Twenty a second for as long as this is open, then the rest at once."""
        waiting, enough = list(records), threading.Event()

        def publish():
            while waiting and not enough.wait(0.05):
                self.wire.send(waiting.pop())
            self.wire.send_all(waiting)

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join()

    async def _points(self, name):
        index = QdrantEdge(self.index_at[1], name, 1024)
        try:
            return {side: await index.fetch(side, self.history.ids(side)) for side in Side}
        finally:
            await index.close()

    def points(self, name):
        """What must be equal, and the vectors, which batches of other sizes round otherwise.

        How far each list was searched depends on the order in which the events came.
        """
        exact, vectors = {}, {}
        for side, points in asyncio.run(self._points(name)).items():
            for id, point in points.items():
                stored = dict(point.payload or {})
                payload = {field: stored[field] for field in stored.keys() - OF_LISTS}
                card = json.loads(payload.pop("card", "{}"))
                exact[side, id] = (point.revision, payload, card.get("terms"), card.get("skills"))
                if point.vector is not None:
                    vectors[side, id] = point.vector
        return exact, vectors


@pytest.fixture(scope="module")
def market(kit, tmp_path_factory):
    directory = tmp_path_factory.mktemp("rollout")
    with (
        kit.stack(directory / "stack") as stack,
        ExitStack() as running,
        pytest.MonkeyPatch.context() as m,
    ):
        market = Market(kit, stack, directory, running, m)
        running.callback(market.wire.close)
        yield market


@pytest.fixture(scope="module")
def encoders(other_model):
    return Encoder.load(device="cpu"), Encoder.load(other_model, device="cpu")


@pytest.fixture(scope="module")
def rolled_out(market, other_model, encoders):
    """The whole procedure under load; what counted before and after each step."""
    blue, green = (encoder.version for encoder in encoders)
    market.blue = market.worker("blue")
    market.wire.send_all(market.history.records[:100])
    with market.flow(market.history.records[100:]):
        market.run(start, other_model)
        market.green = market.worker("green", ROLECALL_MODEL=str(other_model))
        seen = [market.held()]
        silent = {match.model_version for match in market.wire.matches}
        for step in (lambda at: switch(at, print), roll_back, lambda at: switch(at, print)):
            market.run(step)
            seen.append(market.held())
    market.wire.settle("rolecall")
    market.wire.settle("rolecall-g1")
    return {"seen": seen, "silent": silent, "blue": blue, "green": green}


def test_before_the_switch_only_the_old_model_publishes(rolled_out):
    assert rolled_out["silent"] == {rolled_out["blue"]}


def test_what_counts_is_of_one_model_and_each_step_changes_it(rolled_out):
    blue, green = rolled_out["blue"], rolled_out["green"]
    assert [models for _, models in rolled_out["seen"]] == [{blue}, {green}, {blue}, {green}]


def test_no_step_leaves_a_gap(market, rolled_out):
    """What counted before and is right in the end counts after."""
    expected = market.history.expected()
    for (before, _), (after, _) in pairwise(rolled_out["seen"]):
        assert before & expected <= after
    assert len(rolled_out["seen"][0][0] & expected) > 100


def test_in_the_end_exactly_the_right_pairs_count(market, rolled_out):
    assert market.held() == (market.history.expected(), {rolled_out["green"]})


@pytest.mark.parametrize("model", ["blue", "green"])
def test_each_model_found_every_pair(market, rolled_out, holding, model):
    own = [match for match in market.wire.matches if match.model_version == rolled_out[model]]
    assert holding(own, market.wire.withdrawn) == market.history.expected()


def test_every_score_is_of_two_vectors_of_the_model_that_the_match_names(market, rolled_out, encoders):
    entities = {key: entity for key, entity in market.history.newest.items() if entity is not None}
    vectors = {
        encoder.version: dict(
            zip(entities, encoder.encode([document_of(e) for e in entities.values()]).vectors, strict=True)
        )
        for encoder in encoders
    }
    checked = 0
    for match in market.wire.matches:
        sides = (Side.VACANCY, match.vacancy_id), (Side.CANDIDATE, match.candidate_id)
        revisions = match.vacancy_revision, match.candidate_revision
        if all(market.history.revisions[key] == r for key, r in zip(sides, revisions, strict=True)):
            own = vectors[match.model_version]
            assert match.score == pytest.approx(float(np.dot(own[sides[0]], own[sides[1]])), abs=0.01)
            checked += 1
    assert checked > 1000
    blue, green = (vectors[encoder.version] for encoder in encoders)
    mixed = [abs(float(np.dot(blue[key] - green[key], blue[key]))) for key in blue]
    assert min(mixed) > 0.1, "a mixed pair would be told by its score"


def test_the_report_finds_that_the_two_models_score_alike(market, rolled_out):
    found, pairs = market.run(report), len(market.history.expected())
    assert found["pairs"] == {"live": pairs, "other": pairs, "both": pairs}
    assert found["overlap_at_k"] == 1
    assert abs(found["confidence_shift"]["p10"]) < 0.02
    assert abs(found["confidence_shift"]["p90"]) < 0.02
    assert found["latency_ms"]["other"]["p50"] > 0


def test_dropped_the_old_ones_workers_stop_and_its_points_are_gone(market, rolled_out):
    market.run(drop, print)
    assert market.blue.process.wait(60) == 2
    assert {folder.name for folder in market.index_at[0].iterdir()} == {f"{rolled_out['green']}-g1"}
    assert market.run(status).keys() == {"live"}


@pytest.fixture(scope="module")
def rebuilt(market, rolled_out, other_model, kit):
    """The index is lost and rebuilt while more events come."""
    before = market.points(f"{rolled_out['green']}-g1")
    counted = market.held()
    market.index.kill()
    market.index.wait()
    shutil.rmtree(market.index_at[0])
    market.index = market._running.enter_context(edge_index(*market.index_at))
    market.settings = Settings(model=other_model)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ROLECALL_MODEL", str(other_model))
        market.late = kit.history(SEED + 1, "late", ENTITIES // 2)
        with market.flow(market.late.records):
            market.run(rebuild, print)
    market.wire.settle("rolecall-g2")
    return before, counted


def test_a_lost_index_is_rebuilt_as_it_was(market, rolled_out, rebuilt):
    (exact, vectors), (counted, model) = rebuilt
    exact_now, vectors_now = market.points(f"{rolled_out['green']}-g2")
    assert exact_now == exact
    assert vectors_now.keys() == vectors.keys()
    assert all(np.allclose(vectors_now[key], vector, atol=1e-3) for key, vector in vectors.items())
    counting, model_now = market.held()
    assert model_now == model
    known = {id for _, id in market.history.newest}
    assert {pair for pair in counting if {pair[0], pair[2]} <= known} == counted


def test_of_what_came_meanwhile_nothing_is_missing(market, rebuilt):
    assert market.late.expected() <= market.held()[0]


def test_the_worker_ends_at_the_lost_index_and_started_again_serves_the_rebuilt_one(market, rebuilt, kit):
    assert market.green.process.wait(60) in (1, 2)
    assert "`rolecall rebuild` makes it again" in market.green.lines("worker_failed")[-1]["error"]
    again = market.worker("again", ROLECALL_MODEL=str(market.settings.model))
    kit.poll(lambda: again.lines("worker_started"), "the start")
    assert again.lines("worker_started")[-1]["generation"] == 2
    assert again.process.poll() is None
