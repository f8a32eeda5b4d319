"""What is shown of webhooks to shops."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from domain.webhook import DeliveryState, DisabledBecause, EndpointState
from ledger.webhook_contract import ActiveSecret, AttemptRecord, DeliveryRecord, Endpoint

_ENDPOINT: JsonDict = {
    "id": "we_7c2a4f9b1d3e5f6a7b8c9d0e",
    "url": "https://shop.example/paysaga",
    "events": ["payment.succeeded", "refund.succeeded"],
    "state": "enabled",
    "secrets": [{"created_at": "2026-11-22T15:36:50.120000Z", "expires_at": None}],
    "failing_since": None,
    "disabled_at": None,
    "disabled_reason": None,
    "created_at": "2026-11-22T15:36:50.120000Z",
    "updated_at": "2026-11-22T15:36:50.120000Z",
}
_DELIVERY: JsonDict = {
    "id": "whd_1f0e9d8c7b6a5f4e3d2c1b0a",
    "endpoint": "we_7c2a4f9b1d3e5f6a7b8c9d0e",
    "event_id": "chk_7Q2mJ4vX9bTzK1nRc8WsLh3P:4",
    "type": "payment.succeeded",
    "subject": "chk_7Q2mJ4vX9bTzK1nRc8WsLh3P",
    "sequence": 3,
    "state": "delivered",
    "attempts": 1,
    "created_at": "2026-11-22T15:36:50.120000Z",
    "next_attempt_at": None,
    "finished_at": "2026-11-22T15:36:50.390000Z",
}


class SecretView(BaseModel):
    """An active secret, which is not shown again. `expires_at` is null until another takes its place."""

    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, secret: ActiveSecret) -> "SecretView":
        """The secret without itself."""
        return cls(created_at=secret.created_at, expires_at=secret.expires_at)


class EndpointView(BaseModel):
    """An address that events are sent to."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENDPOINT]})

    id: str
    url: str
    events: list[str]
    state: EndpointState
    secrets: list[SecretView] = Field(description="Those that deliveries are signed with now, newest first.")
    failing_since: datetime | None = Field(description="Since when it has taken nothing; null while all is well.")
    disabled_at: datetime | None
    disabled_reason: DisabledBecause | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, endpoint: Endpoint) -> "EndpointView":
        """The endpoint as the API shows it."""
        return cls(**_endpoint(endpoint))


class EndpointWithSecret(EndpointView):
    """The same with the newest secret, which is shown this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENDPOINT | {"secret": "whsec_…"}]})

    secret: str

    @classmethod
    def of(cls, endpoint: Endpoint) -> "EndpointWithSecret":
        """The endpoint right after its newest secret was made."""
        return cls(**_endpoint(endpoint), secret=endpoint.secrets[0].secret)


class EndpointPageView(BaseModel):
    """A page of endpoints, oldest first; `next_cursor` is null on the last."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [_ENDPOINT], "next_cursor": None}]})

    data: list[EndpointView]
    next_cursor: str | None


class DeliveryView(BaseModel):
    """One event on its way to one endpoint, or there."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DELIVERY]})

    id: str
    endpoint: str
    event_id: str = Field(description="Also in the header `webhook-id`.")
    type: str
    subject: str
    sequence: int = Field(description="Counts the subject's events from 1, without gaps.")
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, delivery: DeliveryRecord) -> "DeliveryView":
        """The delivery as the API shows it."""
        return cls(**_delivery(delivery))


class AttemptView(BaseModel):
    """One try. Either `status` is what was answered, or `error` is why nothing was."""

    number: int
    at: datetime
    by_hand: bool = Field(description="Whether somebody asked for it.")
    status: int | None
    error: str | None
    milliseconds: int
    answer: str = Field(description="The beginning of the answer's body, 1 kB at most.")

    @classmethod
    def of(cls, attempt: AttemptRecord) -> "AttemptView":
        """The try as the API shows it."""
        return cls(
            number=attempt.number,
            at=attempt.at,
            by_hand=attempt.by_hand,
            status=attempt.status,
            error=attempt.error,
            milliseconds=attempt.milliseconds,
            answer=attempt.answer,
        )


class DeliveryWithTries(DeliveryView):
    """The same with what is sent and every try so far."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DELIVERY | {"event": {}, "tries": []}]})

    event: dict[str, Any] = Field(description="The event as it is sent, a CloudEvent.")
    tries: list[AttemptView]

    @classmethod
    def whole(cls, delivery: DeliveryRecord, body: bytes, attempts: Sequence[AttemptRecord]) -> "DeliveryWithTries":
        """The delivery with its event and tries."""
        tries = [AttemptView.of(attempt) for attempt in attempts]
        return cls(**_delivery(delivery), event=json.loads(body), tries=tries)


class DeliveryPageView(BaseModel):
    """A page of deliveries, newest first; `next_cursor` is null on the last."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"data": [_DELIVERY], "next_cursor": None}]})

    data: list[DeliveryView]
    next_cursor: str | None


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    shown = ("id", "url", "state", "failing_since", "disabled_at", "disabled_reason", "created_at", "updated_at")
    values = {name: getattr(endpoint, name) for name in shown}
    secrets = [SecretView.of(secret) for secret in endpoint.secrets]
    return values | {"events": list(endpoint.events), "secrets": secrets}


def _delivery(delivery: DeliveryRecord) -> dict[str, Any]:
    shown = ("id", "event_id", "type", "subject", "sequence", "state", "attempts")
    moments = ("created_at", "next_attempt_at", "finished_at")
    return {name: getattr(delivery, name) for name in (*shown, *moments)} | {"endpoint": delivery.endpoint_id}
