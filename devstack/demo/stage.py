"""What one scenario can do: be the shop, the customer and the gateway's bad luck, for one order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from devstack.demo.people import GatewaySide, Json, Shop, StoryError, accepted
from devstack.demo.promise import Promise

_LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 30.0
T = TypeVar("T")


@dataclass
class Stage:
    """One order on its way. `checkout_id` and `client_secret` are known once it is opened."""

    shop: Shop
    gateway: GatewaySide
    order_id: str
    amount_minor: int
    currency: str
    say: Callable[[str], None]
    checkout_id: str = ""
    client_secret: str = ""

    @property
    def payment_id(self) -> str:
        """The gateway's id of the payment: the client secret begins with it."""
        return self.client_secret.partition("_secret_")[0]

    def order(self, **terms: object) -> Json:
        """The body that opens a checkout."""
        return {"order_id": self.order_id, "amount": self.amount_minor, "currency": self.currency} | terms

    async def open(self, **terms: object) -> None:
        """The shop opens the checkout; return when the customer can pay."""
        self.say("the shop opens a checkout")
        await self.opened(accepted(await self.shop.post("/checkouts", self.order(**terms)), 201, 202))

    async def opened(self, checkout: Json) -> None:
        """Remember which checkout it is, and wait until the customer has a next step unless that is known already."""
        self.checkout_id = str(checkout["id"])
        if checkout["state"] == "processing":
            checkout = await self.until("awaiting_payment")
        if checkout["next_action"] is None:
            raise StoryError(f"opened as {checkout['state']}, with nothing for the customer to do")
        self.client_secret = str(checkout["next_action"]["client_secret"])

    async def pay(self, outcome: str = "approve", card: str = "pm_card_visa") -> None:
        """The customer sends the gateway's pay page."""
        self.say(f"the customer pays ({outcome}, {card})")
        answer = await self.gateway.visit(f"/pay/{self.client_secret}", {"outcome": outcome, "payment_method": card})
        if answer.status_code not in (200, 303):
            raise StoryError(f"the pay page answered {answer.status_code}")

    async def authenticate(self, outcome: str) -> None:
        """The customer goes where the checkout leads, to the bank's 3-D Secure page."""
        redirect = await self.until("awaiting_payment", when=lambda c: c["next_action"]["type"] == "redirect")
        self.say(f"the customer answers the bank ({outcome})")
        answer = await self.gateway.visit(redirect["next_action"]["url"], {"outcome": outcome})
        if answer.status_code != httpx.codes.OK:
            raise StoryError(f"the 3-D Secure page answered {answer.status_code}")

    async def tell(self, command: str, body: Json | None = None) -> None:
        """The shop confirms, rejects or cancels, and says it again while no worker hears it (503)."""
        self.say(f"the shop says {command}")

        async def said() -> httpx.Response:
            return await self.shop.post(f"/checkouts/{self.checkout_id}/{command}", body)

        answer = await eventually(
            said, lambda a: a.status_code != httpx.codes.SERVICE_UNAVAILABLE, "a worker to hear the shop"
        )
        accepted(answer, 200, 202)

    async def tell_nobody(self, command: str) -> None:
        """The shop says it while no worker can hear it: the API must not claim that it was taken on (503)."""
        self.say(f"the shop says {command}, nobody hears it")
        answer = await self.shop.post(f"/checkouts/{self.checkout_id}/{command}", None)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            raise StoryError(f"{command} was answered {answer.status_code} while no worker ran")

    async def fault(self, operation: str, kind: str, **more: object) -> str:
        """Make the gateway stumble, for this order alone; the fault's id."""
        body = {"operation": operation, "kind": kind, "count": 1, "match": {"order_id": self.order_id}} | more
        return str((await self.gateway.control("/faults", body))["id"])

    async def until(
        self, *states: str, when: Callable[[Json], bool] = lambda _: True, seconds: float = PATIENCE_SECONDS
    ) -> Json:
        """The checkout once it is in one of the states (and as wanted). Raises StoryError after `seconds`."""

        async def look() -> Json:
            checkout = await self.shop.checkout(self.checkout_id)
            if checkout["state"] in ("needs_review", "completed", "refunded") and checkout["state"] not in states:
                raise StoryError(f"is {checkout['state']}, awaited was {' or '.join(states)}")
            return checkout

        what = f"{' or '.join(states)}"
        return await eventually(look, lambda c: c["state"] in states and when(c), what, seconds)


async def eventually(
    look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool], what: str, seconds: float = PATIENCE_SECONDS
) -> T:
    """What `look` sees once it is as wanted. Raises StoryError naming `what` after `seconds`."""
    end = asyncio.get_running_loop().time() + seconds
    while not wanted(seen := await look()):
        if asyncio.get_running_loop().time() > end:
            state = f"; it is {seen['state']}" if isinstance(seen, dict) and "state" in seen else ""
            raise StoryError(f"waited {seconds:.0f} s for: {what}{state}")
        await asyncio.sleep(_LOOK_SECONDS)
    return seen


Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """One checkout's story: what is done to it, and how it must end all the same."""

    title: str
    promise: Promise
    play: Play
    amount_minor: int = 4200
    currency: str = "USD"


@dataclass
class Told:
    """How the telling of a scenario went; `trouble` names what did not go as promised on the way."""

    scenario: Scenario
    stage: Stage
    trouble: list[str] = field(default_factory=list)
