"""Webhook endpoints and their signing secrets; during a rotation an endpoint has two.

An endpoint is a gateway's own JSON with at least `id`, `url`, `enabled_events` and `status`.
"""

from sandbox.clock import Clock
from sandbox.store import Filter, Json, Store

KIND = "webhook_endpoint"
_CONFIGURED = "configured"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS endpoint_secrets (
    endpoint TEXT NOT NULL, secret TEXT NOT NULL, expires REAL, PRIMARY KEY (endpoint, secret)
);
"""


class Endpoints:
    """Who listens to which events, kept in memory next to the store because every event asks."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        store.connection.executescript(_SCHEMA)
        self._clock = clock
        self._all: dict[str, Json] = {}
        self._load()

    def _load(self) -> None:
        found = list(self._store.bodies(Filter(KIND)))
        self._all = {endpoint["id"]: endpoint for endpoint in reversed(found)}

    def listening(self, event_type: str) -> list[str]:
        """Ids of the endpoints that want this type of event."""
        return [
            endpoint["id"]
            for endpoint in self._all.values()
            if endpoint["status"] == "enabled"
            and ("*" in endpoint["enabled_events"] or event_type in endpoint["enabled_events"])
        ]

    def address(self, endpoint_id: str) -> str | None:
        """Where an endpoint is, or None when it is gone or disabled."""
        endpoint = self._all.get(endpoint_id)
        url: str | None = None if endpoint is None or endpoint["status"] != "enabled" else endpoint["url"]
        return url

    def secrets(self, endpoint_id: str) -> list[str]:
        """The secrets that sign for an endpoint now, the newest first."""
        rows = self._store.connection.execute(
            "SELECT secret FROM endpoint_secrets WHERE endpoint = ? AND (expires IS NULL OR expires > ?)"
            " ORDER BY rowid DESC",
            (endpoint_id, self._clock.now()),
        )
        return [row["secret"] for row in rows]

    def add(self, endpoint: Json, secret: str | None = None) -> None:
        """A new endpoint, with its secret where secrets sign."""
        self._put(endpoint)
        self._new_secret(endpoint["id"], secret)

    def configure(self, endpoint: Json, secret: str | None = None) -> None:
        """The endpoint named at the start of the process; it replaces the one named at an earlier start."""
        for row in self._store.newest(Filter(KIND, label=_CONFIGURED), -1):
            if row["id"] != endpoint["id"]:
                self.remove(row["id"])
        self._put(endpoint, _CONFIGURED)
        self._store.connection.execute("DELETE FROM endpoint_secrets WHERE endpoint = ?", (endpoint["id"],))
        self._new_secret(endpoint["id"], secret)

    def update(self, endpoint: Json) -> None:
        """Write a changed endpoint."""
        self._put(endpoint)

    def roll(self, endpoint_id: str, secret: str, old_lives_for: float) -> None:
        """Give an endpoint a new secret; the old ones go on signing for a while."""
        self._store.connection.execute(
            "UPDATE endpoint_secrets SET expires = ? WHERE endpoint = ? AND expires IS NULL",
            (self._clock.now() + old_lives_for, endpoint_id),
        )
        self._new_secret(endpoint_id, secret)

    def remove(self, endpoint_id: str) -> None:
        """Forget an endpoint and its secrets."""
        self._store.delete(endpoint_id)
        self._store.connection.execute("DELETE FROM endpoint_secrets WHERE endpoint = ?", (endpoint_id,))
        self._load()

    def _put(self, endpoint: Json, label: str | None = None) -> None:
        self._store.put(KIND, endpoint, payment=None, created=self._clock.now(), label=label)
        self._load()

    def _new_secret(self, endpoint_id: str, secret: str | None) -> None:
        if secret is not None:
            self._store.connection.execute("INSERT INTO endpoint_secrets VALUES (?, ?, NULL)", (endpoint_id, secret))
