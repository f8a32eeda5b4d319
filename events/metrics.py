"""/metrics of a process that has no other reason to listen."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from config.settings import MetricsSettings


@contextmanager
def answering(registry: CollectorRegistry, settings: MetricsSettings) -> Iterator[bool]:
    """Answer /metrics where the settings say so, for as long as this is entered; gives whether anybody can ask."""
    if not settings.metrics_port:
        yield False
        return
    server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    try:
        yield True
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
