"""One try to deliver an event to an endpoint of a shop: signed, sent, and written down."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from standardwebhooks.webhooks import Webhook
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import failure
from activities.outbound import Answered, UnreachableError
from activities.payments import utc_now
from domain.errors import PaysagaError
from domain.outbound import ForbiddenUrlError
from domain.webhook import DeliveryState, EndpointState, heeded
from ledger.webhook_attempts import WebhookAttempts
from ledger.webhook_contract import Outgoing, Tried
from ledger.webhook_deliveries import WebhookDeliveries

CONTENT_TYPE = "application/cloudevents+json"
USER_AGENT = "Paysaga-Webhooks/1"
FORBIDDEN_URL = "forbidden_url"
AT_ONCE_PER_ENDPOINT = 20
"""Of the places that a process has for tries, how many one endpoint may hold: a slow one leaves most to the others."""
_LONGEST_STEP_ASIDE = 30.0


class Poster(Protocol):
    """What sends a request to an address that a stranger chose; `activities.outbound.Outbound` does."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Send it once. Raises ForbiddenUrlError, UnreachableError."""


@dataclass(frozen=True)
class Try:
    """Try a delivery. `by_hand`: somebody asked for it. `retry_at`: when it will be tried again if it fails."""

    delivery_id: str
    by_hand: bool
    retry_at: datetime | None


@dataclass(frozen=True)
class TryEnded:
    """How the delivery stands after a try; `retry_at` is None where nothing is left to be tried."""

    state: DeliveryState
    retry_at: datetime | None


@dataclass
class WebhookActivities:
    """Sends what is planned. `clock` is what receivers hold the timestamp of a signature against."""

    deliveries: WebhookDeliveries
    attempts: WebhookAttempts
    outbound: Poster
    clock: Callable[[], datetime] = utc_now
    _under_way: Counter[str] = field(default_factory=Counter)

    @activity.defn
    async def try_delivery(self, call: Try) -> TryEnded:
        """Send it, unless it is over already or its endpoint wants nothing."""
        try:
            return await self._try(call)
        except PaysagaError as error:
            raise failure(error) from error

    async def _try(self, call: Try) -> TryEnded:
        # The server's clock, which the workflow's timers go by too.
        at = activity.info().started_time
        outgoing = await self.deliveries.outgoing(call.delivery_id)
        if outgoing is None:
            raise ApplicationError(
                f"there is no delivery {call.delivery_id}", type="NoSuchDelivery", non_retryable=True
            )
        if outgoing.endpoint_state is not EndpointState.ENABLED:
            return TryEnded(await self.attempts.refuse(call.delivery_id, at), None)
        if outgoing.state is not DeliveryState.PENDING and not call.by_hand:
            return TryEnded(outgoing.state, None)
        with self._place(outgoing.endpoint_id):
            tried, retry_after = await self._sent(outgoing, call, at)
        retry_at = heeded(_planned(call, at), at, tried.status, retry_after)
        state = await self.attempts.record(outgoing.endpoint_id, tried, retry_at)
        return TryEnded(state, retry_at if state is DeliveryState.PENDING else None)

    @contextmanager
    def _place(self, endpoint_id: str) -> Iterator[None]:
        """One of the endpoint's places; where all are taken, the try gives its own up and comes back later."""
        if self._under_way[endpoint_id] >= AT_ONCE_PER_ENDPOINT:
            longest = min(2.0 ** min(activity.info().attempt - 1, 10), _LONGEST_STEP_ASIDE)
            pause = timedelta(seconds=longest * random.uniform(0.5, 1))  # noqa: S311 (spreads load, keeps no secret)
            raise ApplicationError("enough tries are under way there", type="EndpointBusy", next_retry_delay=pause)
        self._under_way[endpoint_id] += 1
        try:
            yield
        finally:
            self._under_way[endpoint_id] -= 1
            if not self._under_way[endpoint_id]:
                del self._under_way[endpoint_id]

    async def _sent(self, outgoing: Outgoing, call: Try, at: datetime) -> tuple[Tried, int | None]:
        """The try as it went, and for how many seconds the receiver asks to be left alone."""
        began = time.monotonic()
        answered: Answered | None = None
        error: str | None = None
        try:
            answered = await self.outbound.post(outgoing.url, self._headers(outgoing), outgoing.body)
        except ForbiddenUrlError as forbidden:
            # It was allowed when the endpoint was made, under other rules or in another environment.
            error = f"{FORBIDDEN_URL}:{forbidden.reason_code}"
        except UnreachableError as unreachable:
            error = unreachable.code
        took = round((time.monotonic() - began) * 1000)
        status = answered.status if answered else None
        text = answered.text if answered else ""
        tried = Tried(call.delivery_id, at, call.by_hand, status, error, took, text)
        return tried, answered.retry_after if answered else None

    def _headers(self, outgoing: Outgoing) -> dict[str, str]:
        now = self.clock()
        signatures = (Webhook(key).sign(outgoing.event_id, now, outgoing.body.decode()) for key in outgoing.secrets)
        return {
            "content-type": CONTENT_TYPE,
            "user-agent": USER_AGENT,
            "webhook-id": outgoing.event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def _planned(call: Try, at: datetime) -> datetime | None:
    """When to try again: what kept this try waiting for its turn puts off the next one too."""
    if call.retry_at is None or call.by_hand:
        return call.retry_at
    return call.retry_at + (at - activity.info().scheduled_time)
