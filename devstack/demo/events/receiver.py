"""A shop that is told of events at its own address: it believes what is signed, and remembers what came."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from fastapi import FastAPI, Request, Response
from standardwebhooks import Webhook, WebhookVerificationError

from devstack.demo.claims import Claim, claim
from devstack.demo.events.told import EventsTold
from devstack.demo.people import Json, Shop, StoryError, accepted
from devstack.demo.stage import eventually
from devstack.inprocess import served
from devstack.ports import any_free

_ENDPOINTS = "/webhook-endpoints"
_TAKEN_SECONDS = 40.0


@dataclass
class Door:
    """One address of the shop. `reluctant`: it answers 503 to the first delivery of every event."""

    name: str
    reluctant: bool = False
    endpoint_id: str = ""
    secret: str = ""
    since: datetime | None = None
    came: list[str] = field(default_factory=list)
    """The ids of the events in the order in which they came, again where they came again."""
    taken: dict[str, Json] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """What was wrong with deliveries that could not be believed."""

    def take(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Look at one delivery; the HTTP status to answer."""
        try:
            event = Webhook(self.secret).verify(body, dict(headers))
        except (WebhookVerificationError, ValueError) as error:
            self.refused.append(f"{headers.get('webhook-id')}: {error}")
            return httpx.codes.BAD_REQUEST
        id_ = headers["webhook-id"]
        first = id_ not in self.came
        self.came.append(id_)
        if self.reluctant and first:
            return httpx.codes.SERVICE_UNAVAILABLE
        self.taken[id_] = event
        return httpx.codes.NO_CONTENT

    def due(self, told: EventsTold) -> dict[str, tuple[str, int]]:
        """Subject and place of each event of those subjects that began after the door was open."""
        begun = {each.subject: each.created_at for each in reversed(told.events)}
        counted: Counter[str] = Counter()
        found = {}
        for each in told.events:
            counted[each.subject] += 1
            if self.since is not None and begun[each.subject] > self.since:
                found[each.id] = each.subject, counted[each.subject]
        return found


class Receiver:
    """The shop's server, with two doors; build it with `receiving`."""

    def __init__(self, shop: Shop, url: str, doors: Collection[Door]) -> None:
        self._shop, self._url, self._doors = shop, url, doors

    async def register(self) -> None:
        """Have every event sent to each door from now on, and to none of an earlier run any more."""
        for left in await self._shop.listing(_ENDPOINTS):
            await self._shop.remove(f"{_ENDPOINTS}/{left['id']}")
        for door in self._doors:
            asked = {"url": f"{self._url}/{door.name}", "events": ["*"]}
            made = accepted(await self._shop.post(_ENDPOINTS, asked), 201)
            door.secret, door.endpoint_id, door.since = made["secret"], made["id"], datetime.now(UTC)

    async def unregister(self) -> None:
        """Have nothing sent any more."""
        for door in self._doors:
            if door.endpoint_id:
                await self._shop.remove(f"{_ENDPOINTS}/{door.endpoint_id}")

    async def claims(self, told: EventsTold) -> list[Claim]:
        """What is claimed of each door, once everything that is due was taken, or a while has passed."""

        async def missing() -> int:
            return sum(len(door.due(told).keys() - door.taken.keys()) for door in self._doors)

        with suppress(StoryError):
            await eventually(missing, lambda number: not number, "every delivery to be taken", _TAKEN_SECONDS)
        return [claim_of(door, told) for door in self._doors]


def claim_of(door: Door, told: EventsTold) -> Claim:
    """Everything that is due came through the door, signed by us, and tells its place among its subject's events."""
    due = door.due(told)
    subjects = len({subject for subject, _ in due.values()})
    kind = "which answers 503 to the first try of each" if door.reluctant else "which takes everything"
    found = f"{len(due)} events about {subjects} subjects, {len(door.came)} deliveries"
    return claim(f"webhooks to the shop's '{door.name}', {kind}", found, _trouble(door, due))


def _trouble(door: Door, due: Mapping[str, tuple[str, int]]) -> Iterator[str]:
    if not due:
        yield "nothing was due, so nothing is shown"
    yield from (f"a delivery was not signed by us: {each}" for each in door.refused)
    yield from (f"{id_} was never taken" for id_ in due.keys() - door.taken.keys())
    if door.reluctant:
        yield from (f"{id_} came once, and was taken at once" for id_ in due if door.came.count(id_) < 2)
    places: defaultdict[str, list[int]] = defaultdict(list)
    for id_ in due.keys() & door.taken.keys():
        places[str(door.taken[id_]["subject"])].append(int(door.taken[id_]["sequence"]))
    for subject, found in places.items():
        wanted = [place for each, place in due.values() if each == subject]
        if sorted(found) != wanted:
            yield f"{subject} came as {sorted(found)}, on the books are {wanted}"


@asynccontextmanager
async def receiving(shop: Shop) -> AsyncIterator[Receiver]:
    """The shop's server on a loopback port; at the end it is told of nothing any more."""
    doors = {door.name: door for door in (Door("accounting"), Door("warehouse", reluctant=True))}
    app = FastAPI(openapi_url=None)

    @app.post("/{name}")
    async def come(name: str, request: Request) -> Response:
        return Response(status_code=doors[name].take(await request.body(), request.headers))

    async with served(app, any_free()) as url:
        receiver = Receiver(shop, url, doors.values())
        try:
            yield receiver
        finally:
            with suppress(httpx.HTTPError, StoryError):
                await receiver.unregister()
