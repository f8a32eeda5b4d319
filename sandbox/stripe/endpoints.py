"""Webhook endpoints and their signing secrets; during a rotation an endpoint has two."""

from sandbox.clock import Clock
from sandbox.stripe import shapes
from sandbox.stripe.ids import random_text
from sandbox.stripe.shapes import Json
from sandbox.stripe.store import Filter, Store

_KIND = "webhook_endpoint"
# An endpoint named at the start of the process keeps one id, so that its open deliveries follow it to a new port.
CONFIGURED_ID = "we_configured0at0start0000"

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
        found = list(self._store.bodies(Filter(_KIND)))
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

    def add(self, params: Json) -> tuple[Json, str]:
        """A new endpoint and its secret."""
        endpoint = shapes.webhook_endpoint(params, self._clock.stamp())
        self._put(endpoint)
        return endpoint, self._new_secret(endpoint["id"], f"whsec_{random_text(32)}")

    def configure(self, url: str, secret: str, events: list[str]) -> None:
        """The endpoint named at the start of the process; it replaces the one named at an earlier start."""
        params = {"url": url, "enabled_events": events, "description": "configured at start"}
        self._put(shapes.webhook_endpoint(params, self._clock.stamp(), CONFIGURED_ID))
        self._store.connection.execute("DELETE FROM endpoint_secrets WHERE endpoint = ?", (CONFIGURED_ID,))
        self._new_secret(CONFIGURED_ID, secret)

    def update(self, endpoint: Json, params: Json) -> Json:
        """Change an endpoint's address, events, description or whether it is enabled."""
        changed: Json = {name: params[name] for name in ("url", "enabled_events", "description") if name in params}
        if "disabled" in params:
            changed["status"] = "disabled" if params["disabled"] else "enabled"
        updated = {**endpoint, **changed}
        self._put(updated)
        return updated

    def roll(self, endpoint_id: str, old_lives_for: float) -> str:
        """Give an endpoint a new secret; the old ones go on signing for a while."""
        self._store.connection.execute(
            "UPDATE endpoint_secrets SET expires = ? WHERE endpoint = ? AND expires IS NULL",
            (self._clock.now() + old_lives_for, endpoint_id),
        )
        return self._new_secret(endpoint_id, f"whsec_{random_text(32)}")

    def remove(self, endpoint_id: str) -> None:
        """Forget an endpoint and its secrets."""
        self._store.delete(endpoint_id)
        self._store.connection.execute("DELETE FROM endpoint_secrets WHERE endpoint = ?", (endpoint_id,))
        self._load()

    def _put(self, endpoint: Json) -> None:
        self._store.put(endpoint, payment=None, created=self._clock.now())
        self._load()

    def _new_secret(self, endpoint_id: str, secret: str) -> str:
        self._store.connection.execute("INSERT INTO endpoint_secrets VALUES (?, ?, NULL)", (endpoint_id, secret))
        return secret
