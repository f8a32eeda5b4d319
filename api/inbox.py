"""`/v1/webhooks`: the gateways' events as they are stored, and dispatching them once more."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.fields import Cursor, GatewayName, Moment, PageSize, Sent, Word
from api.guard import OperatingRoute
from api.once import once
from api.opening import JSON
from api.problems import Problem, invalid
from api.responses import problems
from api.schemas import Nothing
from api.services import Services, services_of
from gateways.registry import REGISTRY
from ledger.contract import EventSource, InboxFilter, StoredAnswer, StoredEvent

_EXAMPLE: JsonDict = {
    "id": "inb_1017",
    "gateway": next(iter(REGISTRY)),
    "event_id": "evt_1Q…",
    "type": "payment_intent.succeeded",
    "payment_id": "pi_3Q…",
    "reference": "chk_7Q2mJ4vX9bTzK1nRc8WsLh3P",
    "dispute_id": None,
    "source": "webhook",
    "relevant": True,
    "received_at": "2026-11-22T15:36:50.120000Z",
    "attempts": 1,
    "processed_at": "2026-11-22T15:36:50.310000Z",
    "outcome": "delivered",
    "replays": 0,
}
_ID = re.compile(r"inb_([0-9]{1,18})")
_LONGEST_EVENT_ID = 255

router = APIRouter(prefix="/v1/webhooks", route_class=OperatingRoute, tags=["inbox"])


class EventListing(BaseModel):
    """Which stored events of the gateways to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gateway: GatewayName | None = None
    outcome: Word | None = None
    payment_id: Word | None = None
    reference: Word | None = None
    since: Moment | None = None
    until: Moment | None = None
    cursor: Cursor | None = None
    limit: PageSize = 50


class Replay(Sent):
    """Which stored events to dispatch again: those that fit all that is given; something must be."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"gateway": next(iter(REGISTRY)), "since": "2026-11-22T00:00:00Z"}]}
    )

    gateway: GatewayName | None = None
    outcome: Word | None = None
    payment_id: Word | None = None
    reference: Word | None = None
    since: Moment | None = None
    until: Moment | None = None


class EventView(BaseModel):
    """An event as it is stored. `outcome`: what became of it, or why it waits; `replays`: how often it was replayed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    gateway: str
    event_id: str
    type: str
    payment_id: str | None
    reference: str | None
    dispute_id: str | None = Field(description="The gateway's own id of the dispute that it is about.")
    source: EventSource
    relevant: bool = Field(description="False for what changes nothing here: it is kept and never dispatched.")
    received_at: datetime
    attempts: int
    processed_at: datetime | None
    outcome: str | None
    replays: int

    @classmethod
    def of(cls, event: StoredEvent) -> "EventView":
        """The event as the API shows it."""
        return cls(
            id=f"inb_{event.id}",
            gateway=event.gateway,
            event_id=event.event_id,
            type=event.type,
            payment_id=event.payment_id,
            reference=event.reference,
            dispute_id=event.dispute_id,
            source=event.source,
            relevant=event.relevant,
            received_at=event.received_at,
            attempts=event.attempts,
            processed_at=event.processed_at,
            outcome=event.outcome,
            replays=event.replays,
        )


class EventPage(BaseModel):
    """A page of events, newest first; `next_cursor` is null on the last."""

    data: list[EventView]
    next_cursor: str | None


class Replayed(BaseModel):
    """How many events are dispatched again. What they tell is looked up afresh, so nothing is done twice."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"replayed": 3}]})

    replayed: int


@router.get("", response_model=EventPage, responses=problems(401, 403, 422, 503))
async def list_events(request: Request, listing: Annotated[EventListing, Query()]) -> Response:
    """List stored events, newest first."""
    try:
        page = await services_of(request).inbox.listed(InboxFilter(**listing.model_dump()))
    except ValueError:
        raise invalid("cursor", "is no cursor of this listing; take next_cursor as it was given") from None
    views = [EventView.of(event) for event in page.data]
    return Response(EventPage(data=views, next_cursor=page.next_cursor).model_dump_json(), media_type=JSON)


@router.post("/replay", response_model=Replayed, responses=problems(400, 401, 403, 408, 413, 415, 422, 503))
async def replay_events(request: Request, body: Replay) -> Response:
    """Dispatch all stored events again that fit; the irrelevant among them stay where they are."""
    wanted = InboxFilter(**body.model_dump())
    if wanted == InboxFilter():
        raise invalid("body", "must name at least one filter: all events at once are never meant")
    replayed = Replayed(replayed=await services_of(request).inbox.replay_matching(wanted))
    return Response(replayed.model_dump_json(), media_type=JSON)


@router.post(
    "/{event}/replay",
    response_model=Replayed,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 503, not_found="No such event"),
)
async def replay_event(request: Request, event: str, body: Nothing | None = None) -> Response:
    """Dispatch a stored event again, named by its id here or by the gateway's own."""
    services = services_of(request)
    stored = await _found(services, event)
    if not stored.relevant:
        raise Problem(409, "event_not_relevant", f"A {stored.type} changes nothing here and is never dispatched.")

    async def work() -> StoredAnswer:
        replayed = Replayed(replayed=await services.inbox.replay([stored.id]))
        return StoredAnswer(200, replayed.model_dump_json().encode(), JSON)

    return await once(request, work)


async def _found(services: Services, event: str) -> StoredEvent:
    """Raises Problem: 404, 409 where several gateways have events of this id."""
    events: tuple[StoredEvent, ...] = ()
    if ours := _ID.fullmatch(event):
        found = await services.inbox.stored(int(ours[1]))
        events = (found,) if found else ()
    elif event.isprintable() and len(event) <= _LONGEST_EVENT_ID:
        events = await services.inbox.by_event_id(event)
    if len(events) > 1:
        ids = [f"inb_{one.id}" for one in events]
        detail = f"Several gateways have an event of this id; name one of {', '.join(ids)}."
        raise Problem(409, "event_ambiguous", detail, events=ids)
    if not events:
        raise Problem(404, "event_not_found", "No stored event has this id.")
    return events[0]
