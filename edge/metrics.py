"""The guard's figures, in a registry of their own so that a second guard in one process starts at zero."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Metrics:
    """Counters and gauges of one guard; hits served by Caddy alone are counted by Caddy."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "guard_requests", "Requests that Caddy passed on, by what became of them",
            ["outcome"], registry=self.registry,
        )  # fmt: skip
        self.origin = Counter(
            "guard_origin_reads", "Requests to S3, by what came back", ["result"], registry=self.registry
        )
        self.origin_bytes = Counter("guard_origin_bytes", "Bytes read from S3", registry=self.registry)
        self.flights = Counter(
            "guard_flights",
            "Objects fetched for the cache, by how it ended",
            ["result"],
            registry=self.registry,
        )
        self.evictions = Counter(
            "guard_evictions", "Objects taken out of the cache", ["reason"], registry=self.registry
        )
        self.in_flight = Gauge("guard_flights_now", "Objects being fetched", registry=self.registry)
        self.stored_bytes = Gauge("guard_cache_bytes", "Bytes in the cache", registry=self.registry)
        self.reserved_bytes = Gauge(
            "guard_cache_reserved_bytes", "Bytes promised to objects being fetched", registry=self.registry
        )
        self.objects = Gauge("guard_cache_objects", "Objects in the cache", registry=self.registry)
        self.limit_bytes = Gauge("guard_cache_limit_bytes", "CACHE_MAX_BYTES", registry=self.registry)
        self.grants = Gauge("guard_grants", "Grants that have not expired", registry=self.registry)
        self.denials = Counter("guard_denials", "Names denied by the web", registry=self.registry)
        self.purges = Counter("guard_purges", "Media ids purged by the web", registry=self.registry)
        self.resyncs = Counter("guard_resyncs", "Times that everything was dropped", registry=self.registry)
        self.denied = Gauge("guard_denied_names", "Names that are denied now", registry=self.registry)
        self.control_age = Gauge("guard_control_age_seconds", "Since the web was last heard", registry=self.registry)

    def text(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self.registry)
