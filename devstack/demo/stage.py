"""What one scenario can do: be the shop, the customer and the gateway's bad luck, for one order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import httpx

from devstack.demo.customers import MANNERS, Call, Manners, Means
from devstack.demo.following import Follower
from devstack.demo.people import GatewaySide, Json, Shop, StoryError, accepted
from devstack.demo.promise import Promise

_LOOK_SECONDS = 0.4
_UNTOLD_SECONDS = 5.0
"""How long a checkout that is followed is left alone while its stream is silent."""
PATIENCE_SECONDS = 60.0
MANY = 50
"""More webhooks than one payment ever causes, and more calls than one operation is tried."""
_PAGES_ANSWER = (httpx.codes.OK, httpx.codes.SEE_OTHER)
T = TypeVar("T")


@dataclass
class Stage:
    """One order on its way. `gateway` is None until the rules have chosen one, where the shop leaves it to them.

    What follows after `say` is known once the checkout is opened: `page` is where the customer pays, `bank_page` where
    that leads. `legs` are the stages of its tenders, where it is split. `captures` are the parts that were captured,
    where the shop asked for parts. `colleague` is the shop too, with an API key of somebody else's. `follows`: its
    stream is followed from then on, until `leave`. `decided` is how it must end, where only the story itself can tell.
    """

    shop: Shop
    side: GatewaySide
    gateway: str | None
    order_id: str
    amount_minor: int
    currency: str
    say: Callable[[str], None]
    checkout_id: str = ""
    payment_id: str = ""
    page: str = ""
    bank_page: str = ""
    legs: list["Stage"] = field(default_factory=list)
    captures: list[int] = field(default_factory=list)
    colleague: Shop | None = None
    follows: bool = False
    follower: Follower | None = None
    decided: Promise | None = None

    @property
    def manners(self) -> Manners:
        """What is its gateway's own way."""
        assert self.gateway is not None, "the rules have chosen by the time that a customer pays"
        return MANNERS[self.gateway]

    def order(self, **terms: object) -> Json:
        """The body that opens a checkout."""
        asked = {"order_id": self.order_id, "amount": self.amount_minor, "currency": self.currency}
        customer = {"customer": {"email": self.email, **(terms.pop("customer", None) or {})}}  # type: ignore[dict-item]
        return asked | {"gateway": self.gateway} | customer | terms

    @property
    def email(self) -> str:
        """Where the customer of this order is written to."""
        return f"{self.order_id}@customers.example"

    async def open(self, **terms: object) -> Json:
        """The shop opens the checkout; answer it when the customer can pay."""
        self.say("the shop opens a checkout")
        return await self.opened(accepted(await self.shop.post("/checkouts", self.order(**terms)), 201, 202))

    async def opened(self, checkout: Json) -> Json:
        """Remember which checkout it is, and wait until the customer has a next step unless that is known already."""
        self.checkout_id = str(checkout["id"])
        if self.follows and self.follower is None:
            self.follower = Follower(self.shop.streams, self.checkout_id, self._told)
        if checkout["state"] == "processing":
            checkout = await self.until("awaiting_payment")
        if (action := checkout["next_action"]) is None:
            raise StoryError(f"opened as {checkout['state']}, with nothing for the customer to do")
        if checkout.get("tenders") is None:
            self.gateway = str(checkout["gateway"])
            try:
                self.payment_id, self.page = self.manners.payment_id(action), str(action["url"])
            except KeyError:
                raise StoryError(f"the next step is none of {self.gateway}, where the payment is said to be") from None
        return checkout

    async def pay(self, means: Means = Means.GOOD) -> None:
        """The customer sends the gateway's page."""
        self.say(f"the customer pays with {means}")
        answer = await self.side.visit(self.page, {"outcome": "approve", self.manners.field: self.manners.means[means]})
        if answer.status_code not in _PAGES_ANSWER:
            raise StoryError(f"the gateway's page answered {answer.status_code}")
        self.bank_page = answer.headers.get("location", "")

    async def authenticate(self, outcome: str) -> None:
        """The customer goes to the bank, where the checkout now leads, or where the gateway's own page does."""
        checkout = await self.until("awaiting_payment", when=lambda c: c["next_action"]["type"] == "redirect")
        url = str(checkout["next_action"]["url"])
        self.say(f"the customer answers the bank ({outcome})")
        answer = await self.side.visit(self.bank_page if url == self.page else url, {"outcome": outcome})
        if answer.status_code not in _PAGES_ANSWER:
            raise StoryError(f"the 3-D Secure page answered {answer.status_code}")

    async def tell(self, command: str, body: Json | None = None, key: str | None = None) -> None:
        """The shop confirms, rejects or cancels, and says it again while no worker hears it (503).

        What would be another thing if it were said twice, as a part that is captured, needs an idempotency key.
        """
        self.say(f"the shop says {command}")

        accepted(await heard(lambda: self.shop.post(f"/checkouts/{self.checkout_id}/{command}", body, key)), 200, 202)

    async def tell_nobody(self, command: str) -> None:
        """The shop says it while no worker can hear it: the API must not claim that it was taken on (503)."""
        self.say(f"the shop says {command}, nobody hears it")
        answer = await self.shop.post(f"/checkouts/{self.checkout_id}/{command}", None)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            raise StoryError(f"{command} was answered {answer.status_code} while no worker ran")

    async def fault(self, call: Call, kind: str, at: str | None = None, **more: object) -> str:
        """Make a call at its gateway (or `at` another) stumble, for this order alone where that can be told.

        Answers the fault's id.
        """
        manners = MANNERS[at] if at is not None else self.manners
        match: Json = {"checkout_id": self.checkout_id}
        if not self.checkout_id:
            match = {"order_id": self.order_id} if manners.order_known else {}
        return await self._fault({"operation": manners.calls[call], "kind": kind, "match": match} | more)

    async def webhooks(self, kind: str, **more: object) -> str:
        """Let something happen to every webhook about this checkout, which is open. Answers the fault's id."""
        fault = {"operation": "webhook", "kind": kind, "count": MANY, "match": {"checkout_id": self.checkout_id}}
        return await self._fault(fault | {"gateway": self.gateway} | more)

    async def refund(self, minor: int | None = None) -> httpx.Response:
        """The shop gives back a part of the sale, or all that is left; the caller judges the answer."""
        body: Json = {} if minor is None else {"amount": minor}
        return await self.shop.post(f"/checkouts/{self.checkout_id}/refunds", body)

    async def dispute(self, kind: str, minor: int | None = None) -> str:
        """The customer disputes the payment or a part of it (in dollars). Answers the gateway's id of the dispute."""
        self.say(f"the customer's bank: {kind}")
        wanted: Json = {"payment": self.payment_id, "kind": kind} | ({} if minor is None else {"amount": minor})
        return str((await self.side.control("/disputes", wanted))["dispute"])

    async def decide(self, dispute: str, outcome: str) -> None:
        """Bank or gateway decide a dispute."""
        self.say(f"the bank decides: {outcome}")
        await self.side.control(f"/disputes/{dispute}/decide", {"outcome": outcome})

    async def events(self) -> list[Json]:
        """The gateway's events about this payment as the API has stored them, newest first."""
        return await self.shop.events(gateway=str(self.gateway), payment_id=self.payment_id)

    async def _fault(self, fault: Json) -> str:
        return str((await self.side.control("/faults", fault))["id"])

    async def fired(self, fault: str, times: int = 1) -> None:
        """Wait until a fault has struck so often."""
        await eventually(lambda: self.side.fired(fault), lambda count: count >= times, "the fault to strike")

    async def delivered(
        self, variant: str = "normal", state: str = "delivered", event_type: str | None = None
    ) -> list[Json]:
        """Every webhook of that kind about the payment, and there must be some, once all are where they should be."""

        async def rows() -> list[Json]:
            found = await self.side.rows("/deliveries", payment=self.payment_id, gateway=str(self.gateway))
            wanted = [row for row in found if row["variant"] == variant]
            return [row for row in wanted if event_type in (None, row["event_type"])]

        def there(found: list[Json]) -> bool:
            return {row["state"] for row in found} == {state}

        return await eventually(rows, there, f"the {variant} webhooks to be {state}")

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
        return await eventually(look, lambda c: c["state"] in states and when(c), what, seconds, self._until_told)

    async def leave(self) -> None:
        """Follow no more."""
        for stage in (self, *self.legs):
            if stage.follower is not None:
                await stage.follower.close()

    def _told(self, row: Json) -> None:
        self.say(f"{row['state']} ({row['cause'].partition(':')[0]})")

    async def _until_told(self) -> None:
        """A moment until it is worth looking again."""
        if self.follower is None:
            await _a_moment()
        else:
            await self.follower.news(_UNTOLD_SECONDS)

    async def until_declined(self) -> None:
        """Wait until the checkout shows that the customer's means were refused."""
        await self.until("awaiting_payment", when=lambda checkout: checkout["failure"] is not None)

    async def leg(self, tender: Json) -> "Stage":
        """The stage of one tender of this split checkout, once its own customer can pay."""
        leg = replace(
            self,
            gateway=str(tender["gateway"]),
            amount_minor=int(tender["amount"]),
            checkout_id=str(tender["id"]),
            legs=[],
            follower=None,
        )
        await leg.opened(await self.shop.checkout(leg.checkout_id))
        self.legs.append(leg)
        return leg


async def heard(say: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """The answer to what is said, again and again while no worker hears it (503)."""
    unheard = httpx.codes.SERVICE_UNAVAILABLE
    return await eventually(say, lambda answer: answer.status_code != unheard, "a worker to hear the shop")


async def _a_moment() -> None:
    await asyncio.sleep(_LOOK_SECONDS)


async def eventually(
    look: Callable[[], Awaitable[T]],
    wanted: Callable[[T], bool],
    what: str,
    seconds: float = PATIENCE_SECONDS,
    pause: Callable[[], Awaitable[None]] = _a_moment,
) -> T:
    """What `look` sees once it is as wanted; it looks again after each `pause`.

    Raises StoryError naming `what` after `seconds`.
    """
    end = asyncio.get_running_loop().time() + seconds
    while not wanted(seen := await look()):
        if asyncio.get_running_loop().time() > end:
            state = f"; it is {seen['state']}" if isinstance(seen, dict) and "state" in seen else ""
            raise StoryError(f"waited {seconds:.0f} s for: {what}{state}")
        await pause()
    return seen
