"""What each gateway's own API says of a checkout's payments, as far as it has such an answer."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx

from devstack.demo import units
from devstack.demo.evidence import Kind, Movement
from devstack.demo.people import GatewaySide, Json, accepted

_CAUGHT = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})


@dataclass(frozen=True)
class Stated:
    """What a gateway states. `attempts` and `takes` are None where it has no list of such; `finals` are refunds."""

    payments: int
    attempts: int | None
    takes: tuple[Movement, ...] | None
    finals: tuple[Movement, ...]


class Account(Protocol):
    """Our account with one gateway, asked as its owner may ask."""

    async def about(self, checkout_id: str, known: Collection[str], booked: Sequence[Json]) -> Stated:
        """What there is for a checkout: `known` are ids of payments, `booked` the books' rows about it here."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class StripeAccount:
    """Stripe finds payments by metadata, and lists their charges and refunds."""

    def __init__(self, environment: Mapping[str, str], _: GatewaySide) -> None:
        key = {"Authorization": f"Bearer {environment['STRIPE_API_KEY']}"}
        self._client = httpx.AsyncClient(
            base_url=environment["STRIPE_API_BASE"], headers=key, trust_env=False, timeout=15
        )

    async def about(self, checkout_id: str, known: Collection[str], booked: Sequence[Json]) -> Stated:
        """By search, which also finds payments that nobody else knows of."""
        found = await self._list("/payment_intents/search", query=f"metadata['checkout_id']:'{checkout_id}'")
        charges = [charge for one in found for charge in await self._list("/charges", payment_intent=one["id"])]
        refunds = [refund for one in found for refund in await self._list("/refunds", payment_intent=one["id"])]
        done = [refund for refund in refunds if refund["status"] == "succeeded"]
        took = [charge for charge in charges if charge["amount_captured"]]
        return Stated(
            payments=len(found),
            attempts=len(charges),
            takes=tuple(_minor(Kind.TAKE, c["payment_intent"], c["amount_captured"], c["currency"]) for c in took),
            finals=tuple(_minor(Kind.REFUND_FINAL, r["id"], r["amount"], r["currency"]) for r in done),
        )

    async def _list(self, path: str, **query: str) -> list[Json]:
        answer = await self._client.get(f"/v1{path}", params={**query, "limit": "100"})
        return list(accepted(answer, 200)["data"])

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _minor(kind: Kind, reference: str, amount: int, currency: str) -> Movement:
    return units.movement(kind, "stripe", reference, amount, currency)


class PayPalAccount:
    """PayPal has no search; an order that is known can be read, with its captures and refunds.

    Charges that were refused leave nothing in an order.
    """

    def __init__(self, environment: Mapping[str, str], _: GatewaySide) -> None:
        self._client = httpx.AsyncClient(base_url=environment["PAYPAL_API_BASE"], trust_env=False, timeout=15)
        self._who = environment["PAYPAL_CLIENT_ID"], environment["PAYPAL_CLIENT_SECRET"]
        self._token: str | None = None
        self._asking = asyncio.Lock()

    async def about(self, checkout_id: str, known: Collection[str], booked: Sequence[Json]) -> Stated:
        """By the orders that our books or PayPal's name."""
        orders = [order for one in known if (order := await self.order(one)) is not None]
        parts = [unit.get("payments", {}) for order in orders for unit in order["purchase_units"]]
        took = [(order["id"], c) for order in orders for c in captures_of(order) if c["status"] in _CAUGHT]
        done = [r for part in parts for r in part.get("refunds", []) if r["status"] == "COMPLETED"]
        return Stated(
            payments=len(orders),
            attempts=None,
            takes=tuple(units.stated_movement(Kind.TAKE, "paypal", order_id, c["amount"]) for order_id, c in took),
            finals=tuple(units.stated_movement(Kind.REFUND_FINAL, "paypal", r["id"], r["amount"]) for r in done),
        )

    async def order(self, order_id: str) -> Json | None:
        """An order as PayPal states it now; None when it has no such."""
        token = await self._authorized()
        answer = await self._client.get(f"/v2/checkout/orders/{order_id}", headers={"Authorization": f"Bearer {token}"})
        return None if answer.status_code == httpx.codes.NOT_FOUND else accepted(answer, 200)

    async def _authorized(self) -> str:
        async with self._asking:
            if self._token is None:
                asked = {"grant_type": "client_credentials"}
                answer = await self._client.post("/v1/oauth2/token", data=asked, auth=self._who)
                self._token = str(accepted(answer, 200)["access_token"])
            return self._token

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def captures_of(order: Json) -> list[Json]:
    """The captures in a PayPal order."""
    return [capture for unit in order["purchase_units"] for capture in unit.get("payments", {}).get("captures", [])]


class AdyenAccount:
    """Adyen lists nothing: a link that is known can be read, the rest is in the notifications that it sent.

    A refund is on the sandbox's books when it is done, so there it is final.
    """

    def __init__(self, environment: Mapping[str, str], side: GatewaySide) -> None:
        key = {"X-API-Key": environment["ADYEN_API_KEY"]}
        self._client = httpx.AsyncClient(
            base_url=environment["ADYEN_API_BASE"], headers=key, trust_env=False, timeout=15
        )
        self._side = side

    async def about(self, checkout_id: str, known: Collection[str], booked: Sequence[Json]) -> Stated:
        """By the links that our books or Adyen's name, and what was notified of them."""
        found = [link for one in known if (link := await self._link(one)) and link["reference"] == checkout_id]
        told = [row for link in found for row in await self._side.rows("/deliveries", payment=link["id"])]
        tries = {row["event"] for row in told if row["event_type"] == "AUTHORISATION"}
        undone = {row["refund"] for row in booked if row["operation"] == "refund_failure"}
        done = [row for row in booked if row["operation"] == "refund" and row["refund"] not in undone]
        finals = (units.movement(Kind.REFUND_FINAL, "adyen", r["refund"], r["amount"], r["currency"]) for r in done)
        return Stated(payments=len(found), attempts=len(tries), takes=None, finals=tuple(finals))

    async def _link(self, link_id: str) -> Json | None:
        answer = await self._client.get(f"/paymentLinks/{link_id}")
        return accepted(answer, 200) if answer.status_code == httpx.codes.OK else None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


ACCOUNTS: Mapping[str, Callable[[Mapping[str, str], GatewaySide], Account]] = {
    "stripe": StripeAccount,
    "paypal": PayPalAccount,
    "adyen": AdyenAccount,
}
"""How the account with each gateway is asked; it is made of the product's environment."""
