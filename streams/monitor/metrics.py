"""Prometheus metrics of a worker. Their names are a contract: the alerts in docs/operations.md use them."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from rolecall.encoder.model import Encoder
from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.topics import INPUTS, SIDE_OF
from rolecall.streams.monitor.drift import Window
from rolecall.streams.monitor.health import Health
from rolecall.streams.monitor.tally import LookupTally, Tally

ENTITY_OUTCOMES = "upserted", "removed", "unchanged", "stale", "dead_lettered"
DEFINITION_OUTCOMES = "applied", "dead_lettered"

EVENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 500)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
TENTHS = tuple(n / 10 for n in range(1, 11))


class Metrics:
    """A series with a fixed set of labels exists from the start, at 0, so that its first increase is seen."""

    def __init__(self, health: Health) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Now(health))
        self._windows: dict[str, Window] = {}
        registry.register(_Drift(self._windows))
        self._model = Info("rolecall_model", "The model in use.", registry=registry)
        self._events = Counter(
            "rolecall_events", "Events by outcome.", ("topic", "outcome"), registry=registry
        )
        self._letters = Counter(
            "rolecall_dead_letters", "Dead letters by the stage that failed.", ("topic", "stage"),
            registry=registry,
        )  # fmt: skip
        self._matches = Counter("rolecall_matches", "Matches published.", registry=registry)
        self._retries = Counter(
            "rolecall_retries", "Retries after a dependency failed.", ("topic",), registry=registry
        )
        self._cache = Counter(
            "rolecall_cache_lookups", "Embeddings looked up in the cache.", ("result",), registry=registry
        )
        self._batch_events = Histogram(
            "rolecall_batch_events",
            "Number of events in a batch.",
            ("topic",),
            buckets=EVENTS,
            registry=registry,
        )
        self._batch_seconds = Histogram(
            "rolecall_batch_duration_seconds", "Seconds from a batch's receipt to its ack.", ("topic",),
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self._stage_seconds = Histogram(
            "rolecall_stage_duration_seconds",
            "Seconds of a stage for a batch of entities; parallel parts add up.", ("stage",),
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self._certainty = Histogram(
            "rolecall_certainty", "How certain the model is about an entity, 0 to 1.", ("topic",),
            buckets=TENTHS, registry=registry,
        )  # fmt: skip
        self._located = Counter(
            "rolecall_located", "Entities by whether a reference occupation is near.", ("topic", "familiar"),
            registry=registry,
        )  # fmt: skip
        self._misplaced = Counter(
            "rolecall_misplaced", "Records in another partition than their key's.", ("topic",),
            registry=registry,
        )  # fmt: skip
        self._start_at_zero()

    def _start_at_zero(self) -> None:
        for topic in SIDE_OF:
            self._misplaced.labels(topic)
            for familiar in ("yes", "no"):
                self._located.labels(topic, familiar)
        for topic in (each.name for each in INPUTS):
            for outcome in ENTITY_OUTCOMES if topic in SIDE_OF else DEFINITION_OUTCOMES:
                self._events.labels(topic, outcome)
            for stage in Stage:
                self._letters.labels(topic, stage)
            self._retries.labels(topic)
        for result in ("hit", "miss"):
            self._cache.labels(result)

    def model(self, encoder: Encoder) -> None:
        self._model.info(
            {"version": encoder.version, "dims": str(encoder.dims), "device": str(encoder.device)}
        )
        self._windows.update((topic, Window(encoder)) for topic in SIDE_OF)

    def entities(self, topic: str, tally: Tally, seconds: float) -> None:
        """Counts one acked batch of vacancies or candidates."""
        counts = tally.upserted, tally.removed, tally.unchanged, tally.stale, tally.dead_letters
        for outcome, count in zip(ENTITY_OUTCOMES, counts, strict=True):
            self._events.labels(topic, outcome).inc(count)
        self._batch(topic, tally.events, seconds)
        for reject in tally.rejects:
            self._letters.labels(topic, reject.stage).inc()
        self._matches.inc(tally.matches)
        self._retries.labels(topic).inc(tally.retries)
        self._cache.labels("hit").inc(tally.cache_hits)
        self._cache.labels("miss").inc(tally.cache_misses)
        for stage, duration in tally.seconds.items():
            self._stage_seconds.labels(stage).observe(duration)
        for certainty in tally.certainties:
            self._certainty.labels(topic).observe(certainty)
        for occupation in tally.located:
            self._located.labels(topic, "no" if occupation.unfamiliar else "yes").inc()
        if topic in self._windows:
            self._windows[topic].add(tally.vectors, tally.certainties)

    def misplaced(self, topic: str, records: int) -> None:
        self._misplaced.labels(topic).inc(records)

    def lookups(self, topic: str, tally: LookupTally, seconds: float) -> None:
        """Counts one acked batch of rules or occupations."""
        applied = tally.events - tally.dead_letters
        for outcome, count in zip(DEFINITION_OUTCOMES, (applied, tally.dead_letters), strict=True):
            self._events.labels(topic, outcome).inc(count)
        self._batch(topic, tally.events, seconds)
        for reject in tally.rejects:
            self._letters.labels(topic, reject.stage).inc()
        self._retries.labels(topic).inc(tally.retries)

    def _batch(self, topic: str, events: int, seconds: float) -> None:
        self._batch_events.labels(topic).observe(events)
        self._batch_seconds.labels(topic).observe(seconds)


class _Drift:
    """Gives no value until enough documents came, and none for a model without a reference."""

    def __init__(self, windows: Mapping[str, Window]) -> None:
        self._windows = windows

    def collect(self) -> Iterator[Metric]:
        index = GaugeMetricFamily(
            "rolecall_drift_psi",
            "Population stability index of the newest entities against the training texts.",
            labels=("topic", "of"),
        )
        for topic, window in self._windows.items():
            if (drift := window.drift()) is not None:
                index.add_metric([topic, "values"], drift.mean)
                index.add_metric([topic, "certainty"], drift.certainty)
        yield index


class _Now:
    """Gauges computed at scrape time, because they change even when no event is processed."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        ready = GaugeMetricFamily("rolecall_ready", "1 if a check of /ready passes.", labels=("check",))
        for check, trouble in self._health.readiness().items():
            ready.add_metric([check], trouble is None)
        yield ready
        progress = self._health.progress()
        lag = GaugeMetricFamily(
            "rolecall_consumer_lag_events",
            "Events of an assigned partition that are not committed, as of the last fetch.",
            labels=("topic", "partition"),
        )
        for (topic, partition), behind in progress.lag.items():
            if behind is not None:
                lag.add_metric([topic, str(partition)], behind)
        yield lag
        yield GaugeMetricFamily(
            "rolecall_unacked_events", "Events taken from the broker and not acked yet.", progress.unacked
        )
        yield GaugeMetricFamily(
            "rolecall_batches_in_hand", "Batches that are being processed.", len(self._health.batches)
        )
        yield GaugeMetricFamily(
            "rolecall_oldest_batch_seconds",
            "Age of the oldest batch in hand; 0 if there is none.",
            self._health.oldest_batch_seconds(),
        )
        lists = self._health.lists()
        yield GaugeMetricFamily(
            "rolecall_lists_due",
            "Match lists that are to be searched again; a sweep of all counts as one.",
            lists.due,
        )
        yield CounterMetricFamily(
            "rolecall_lists_matches", "Matches published because a place in a list was free.", lists.matches
        )
        yield CounterMetricFamily(
            "rolecall_lists_cut", "Events that could enter more lists than they may.", lists.cut
        )
        yield CounterMetricFamily(
            "rolecall_contested",
            "Events that met their own revision with another content; the higher content hash wins.",
            0 if self._health.index is None else self._health.index.contested,
        )
