"""A shop that calls the sandbox's PayPal, and a payer who approves on its page."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from tests.sandbox.support import Received, Receiver, Sandbox

SECRET = "sandbox_secret"
RETURN, CANCEL = "https://shop.example.com/back?cart=7", "https://shop.example.com/cancel"
Json = dict[str, Any]


def money(value: str, currency: str = "USD") -> Json:
    """An amount as PayPal takes it."""
    return {"currency_code": currency, "value": value}


def order_body(checkout: str, intent: str = "CAPTURE", value: str = "42.00", currency: str = "USD") -> Json:
    """What opens an order of one purchase unit."""
    return {
        "intent": intent,
        "purchase_units": [{"reference_id": "r1", "custom_id": checkout, "amount": money(value, currency)}],
        "payment_source": {"paypal": {"experience_context": {"return_url": RETURN, "cancel_url": CANCEL}}},
    }


@dataclass
class Shop:
    """A client with a token, for one checkout."""

    sandbox: Sandbox
    client: httpx.AsyncClient
    checkout: str

    async def post(self, path: str, body: Json | None = None, key: str | None = None, **headers: str) -> httpx.Response:
        """Call the API under a PayPal-Request-Id, a fresh one unless given."""
        told = {"PayPal-Request-Id": key or uuid4().hex, **headers}
        return await self.client.post(path, json=body or {}, headers=told)

    async def log_in(self) -> None:
        """Get a token and use it from now on."""
        form = {"grant_type": "client_credentials"}
        answer = await self.client.post("/v1/oauth2/token", data=form, auth=("shop", SECRET))
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    async def wait(self, seconds: float) -> None:
        """Let virtual time pass, and get a token that is good then."""
        await self.control("clock", advance_seconds=seconds)
        await self.log_in()

    async def read(self, path: str) -> Json:
        """Read an object that must be there."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def open(self, intent: str = "CAPTURE", value: str = "42.00", currency: str = "USD") -> str:
        """Open an order; its id."""
        answer = await self.post("/v2/checkout/orders", order_body(self.checkout, intent, value, currency))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def pay_page(self, order: str, outcome: str = "approve", funding: str = "good") -> httpx.Response:
        """Decide on the order's page."""
        form = {"outcome": outcome, "funding": funding}
        async with self.sandbox.browser() as browser:
            return await browser.post(f"/paypal/approve/{order}", data=form)

    async def approved(self, intent: str = "CAPTURE", funding: str = "good", **amount: str) -> str:
        """Open an order and have it approved."""
        order = await self.open(intent, **amount)
        assert (await self.pay_page(order, funding=funding)).status_code == 303
        return order

    async def captured(self, funding: str = "good", **amount: str) -> tuple[str, Json]:
        """An order that was captured, and its capture."""
        order = await self.approved("CAPTURE", funding, **amount)
        answer = await self.post(f"/v2/checkout/orders/{order}/capture")
        assert answer.status_code == 201, answer.text
        return order, part(answer.json(), "captures")

    async def held(self, funding: str = "good", **amount: str) -> tuple[str, Json]:
        """An order that was authorized, and its authorization."""
        order = await self.approved("AUTHORIZE", funding, **amount)
        answer = await self.post(f"/v2/checkout/orders/{order}/authorize")
        assert answer.status_code == 201, answer.text
        return order, part(answer.json(), "authorizations")

    async def moved(self, order: str) -> list[tuple[str, int]]:
        """What the books say of a payment."""
        return [(row["operation"], row["amount"]) for row in await self.rows(order)]

    async def dispute(self, order: str, kind: str = "chargeback", **how: Any) -> str:
        """Dispute an order; the dispute's id."""
        return str((await self.control("disputes", payment=order, kind=kind, **how))["dispute"])

    async def disputed(self, dispute: str) -> Json:
        """A dispute as PayPal states it."""
        return await self.read(f"/v1/customer/disputes/{dispute}")

    async def evidence(self, dispute: str, document: Any) -> httpx.Response:
        """Answer a dispute, with the form that PayPal takes."""
        form = {"input": (None, json.dumps(document).encode(), "application/json")}
        return await self.client.post(f"/v1/customer/disputes/{dispute}/provide-evidence", files=form)

    async def rows(self, order: str) -> list[Json]:
        """The books' rows of a payment."""
        async with self.sandbox.browser() as browser:
            rows: list[Json] = (await browser.get("/sandbox/books", params={"payment": order})).json()["data"]
        return rows

    async def control(self, path: str, **body: Any) -> Json:
        """A control call that must succeed."""
        async with self.sandbox.browser() as browser:
            answer = await browser.post(f"/sandbox/{path}", json=body)
        assert answer.is_success, answer.text
        said: Json = answer.json()
        return said

    async def fault(self, operation: str, kind: str, **how: Any) -> None:
        """Set a fault for this checkout alone."""
        await self.control("faults", operation=operation, kind=kind, match={"checkout_id": self.checkout}, **how)


def part(order: Json, kind: str) -> Json:
    """The one payment of a kind in an order."""
    (found,) = order["purchase_units"][0]["payments"][kind]
    assert isinstance(found, dict)
    return found


def issue(answer: httpx.Response) -> tuple[int, str]:
    """The status and the fine-grained code of a refusal, whose shape is checked on the way."""
    body = answer.json()
    assert set(body) >= {"name", "message", "debug_id", "links"}
    assert answer.headers["paypal-debug-id"] == body["debug_id"]
    return answer.status_code, body["details"][0]["issue"]


def order_of(event: Json) -> str:
    """The order that an event is about."""
    resource = event["resource"]
    if event["resource_type"] == "checkout-order":
        return str(resource["id"])
    if event["resource_type"] == "refund":
        return str(resource["custom_id"])
    if event["resource_type"] == "dispute":
        return str(resource["dispute_id"])
    return str(resource["supplementary_data"]["related_ids"]["order_id"])


def heard(receiver: Receiver, *about: str) -> list[Received]:
    """What came in about an order, or about the refunds of a checkout."""
    return [one for one in receiver.received if order_of(one.event) in about]


def types(receiver: Receiver, *about: str) -> list[str]:
    """The types of events that came in, in order of arrival."""
    return [one.event["event_type"] for one in heard(receiver, *about)]
