"""What Prometheus reads: counts of every process of a server, in one place."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # bounds of what is counted
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


class Distribution:
    """How many values lie up to each bound, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def add(self, other: "Distribution") -> None:
        """Count what another one counted."""
        self.counts = [own + more for own, more in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum

    def buckets(self) -> list[tuple[str, float]]:
        """Bounds as Prometheus writes them, each with the values up to it."""
        total, found = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found


@dataclass
class Requests:
    """What a process counted: requests by route and status, their seconds by route, rows that were answered."""

    statuses: dict[tuple[str, str], int] = field(default_factory=dict)
    seconds: dict[str, Distribution] = field(default_factory=dict)
    rows: int = 0

    def done(self, route: str, status: int, seconds: float | None = None) -> None:
        """Count a request, and how long it took."""
        key = (route, str(status))
        self.statuses[key] = self.statuses.get(key, 0) + 1
        if seconds is not None:
            self._of(route).observe(seconds)

    def _of(self, route: str) -> Distribution:
        found = self.seconds.get(route)
        if found is None:
            found = self.seconds[route] = Distribution(SECONDS)
        return found

    def add(self, other: "Requests") -> None:
        """Count what another process counted."""
        for key, count in other.statuses.items():
            self.statuses[key] = self.statuses.get(key, 0) + count
        for route, seconds in other.seconds.items():
            self._of(route).add(seconds)
        self.rows += other.rows


@dataclass
class Metrics:
    """All of a server's."""

    requests: Requests = field(default_factory=Requests)
    call_rows: Distribution = field(default_factory=lambda: Distribution(ROWS))

    def text(self, *, waiting: int, ready: bool, starts: int, tokens: int) -> bytes:
        """In Prometheus's words.

        Args:
            waiting: rows that wait for a call.
            ready: whether the model takes calls.
            starts: how often its process was started.
            tokens: that were computed, padding included.
        """
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Now(self, waiting, ready, starts, tokens))
        return generate_latest(registry)


class _Now:
    """A reading, as prometheus_client takes it."""

    def __init__(self, metrics: Metrics, waiting: int, ready: bool, starts: int, tokens: int) -> None:
        self._metrics, self._waiting, self._ready, self._starts = metrics, waiting, ready, starts
        self._tokens = tokens

    def describe(self) -> list[Metric]:
        """Nothing beside what is collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every figure."""
        own = self._metrics.requests
        requests = CounterMetricFamily("package_requests", "Requests by route and status", labels=("route", "status"))
        for (route, status), count in own.statuses.items():
            requests.add_metric((route, status), count)
        yield requests
        seconds = HistogramMetricFamily(
            "package_request_seconds", "From a request's head to its answer", labels=("route",)
        )
        for route, found in own.seconds.items():
            seconds.add_metric((route,), found.buckets(), found.sum)
        yield seconds
        yield CounterMetricFamily("package_rows", "Rows that were answered", own.rows)
        yield GaugeMetricFamily("package_computed_tokens", "Tokens that were computed, padding included", self._tokens)
        rows = self._metrics.call_rows
        yield HistogramMetricFamily("package_call_rows", "Rows in a call of the model", rows.buckets(), rows.sum)
        yield GaugeMetricFamily("package_waiting_rows", "Rows that wait for a call", self._waiting)
        yield GaugeMetricFamily("package_ready", "Whether the model takes calls", float(self._ready))
        yield GaugeMetricFamily("package_model_starts", "How often the model's process was started", self._starts)
