"""A shop that uses Adyen's API and its customer, and an endpoint that collects notifications."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from Adyen.util import is_valid_hmac_notification

from tests.sandbox.support import Receiver, Sandbox, eventually

ACCOUNT = "PaysagaSeveral"
API_KEY = "AQEyhmfuXNWTK0Qc+iSS"


@dataclass(frozen=True)
class Shop:
    """A merchant with an API key, and a customer's browser without one."""

    api: httpx.AsyncClient
    browser: httpx.AsyncClient
    checkout: str

    @classmethod
    def at(cls, sandbox: Sandbox, browser: httpx.AsyncClient) -> "Shop":
        """A shop with a checkout of its own at a sandbox."""
        return cls(client(sandbox), browser, f"chk_{uuid4().hex[:12]}")

    async def open(self, **changed: Any) -> dict[str, Any]:
        """A link over 42 euros that the shop captures itself; any field may be changed."""
        answer = await self.post("paymentLinks", self.order(**changed))
        assert answer.status_code == 201, answer.text
        link: dict[str, Any] = answer.json()
        return link

    def order(self, **changed: Any) -> dict[str, Any]:
        """What opens a link."""
        return {
            "merchantAccount": ACCOUNT,
            "reference": f"{self.checkout}:create:1",
            "amount": {"value": 4200, "currency": "EUR"},
            "manualCapture": True,
            **changed,
        }

    async def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        """One POST to the API."""
        headers = {} if key is None else {"Idempotency-Key": key}
        # Not httpx's own JSON, because that cannot write half a surrogate pair, which some tests send.
        return await self.api.post(path, content=json.dumps(body), headers=headers)

    async def pay(self, link: dict[str, Any], card: str = "good", outcome: str = "approve") -> httpx.Response:
        """The customer presses a button on the link's page."""
        return await self.browser.post(f"/adyen/pay/{link['id']}", data={"outcome": outcome, "card": card})

    async def modify(self, psp: str, verb: str, value: int | None = None, **changed: Any) -> dict[str, Any]:
        """Ask for a capture, cancel, refund or reversal, which is always received."""
        body: dict[str, Any] = {"merchantAccount": ACCOUNT, **changed}
        if value is not None:
            body.setdefault("amount", {"value": value, "currency": "EUR"})
        answer = await self.post(f"payments/{psp}/{verb}", body)
        assert answer.status_code == 201, answer.text
        received: dict[str, Any] = answer.json()
        assert received["status"] == "received"
        return received

    async def booked(self, link: dict[str, Any]) -> list[tuple[str, int]]:
        """Every movement of a link's money."""
        rows = (await self.browser.get("/sandbox/books", params={"payment": link["id"]})).json()["data"]
        assert all((row["gateway"], row["checkout_id"]) == ("adyen", self.checkout) for row in rows)
        return [(row["operation"], row["amount"]) for row in rows]

    async def fault(self, **fault: Any) -> None:
        """Set a fault that strikes this shop's checkout only."""
        body = {"match": {"checkout_id": self.checkout}, **fault}
        answer = await self.browser.post("/sandbox/faults", json=body)
        assert answer.status_code == 201, answer.text


@dataclass(frozen=True)
class Hook:
    """A receiver that a sandbox knows, with the key its notifications are signed with."""

    receiver: Receiver
    id: str
    key: str

    def items(self, code: str, psp: str | None = None) -> list[dict[str, Any]]:
        """The notification items of one kind that came in, narrowed to one pspReference."""
        # Another test's sandbox may still send to what was its own receiver's port.
        ours = [one.body for one in self.receiver.received if b"notificationItems" in one.body]
        found = [item for body in ours for item in items_of(body)]
        return [item for item in found if item["eventCode"] == code and psp in (None, item["pspReference"])]

    async def told(self, code: str, psp: str | None = None) -> dict[str, Any]:
        """Wait for a notification, which must be properly signed; the newest one where there are several."""
        item: dict[str, Any] = (await eventually(lambda: self.items(code, psp)))[-1]
        assert verified(item, self.key)
        return item

    async def authorised(self, shop: Shop, link: dict[str, Any], card: str = "good") -> str:
        """Pay a link and wait for its approval; the payment's pspReference."""
        await shop.pay(link, card)
        approval = await eventually(lambda: self._approvals(link))
        psp: str = approval[0]["pspReference"]
        return psp

    def _approvals(self, link: dict[str, Any]) -> list[dict[str, Any]]:
        found = self.items("AUTHORISATION")
        return [item for item in found if item["additionalData"]["paymentLinkId"] == link["id"]]


def client(sandbox: Sandbox, key: str = API_KEY, timeout: float = 5) -> httpx.AsyncClient:
    """A plain client for the API."""
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    return httpx.AsyncClient(base_url=f"{sandbox.url}/adyen/v72/", headers=headers, timeout=timeout)


def items_of(body: bytes) -> list[dict[str, Any]]:
    """The items of a notification, not verified."""
    return [wrapped["NotificationRequestItem"] for wrapped in json.loads(body)["notificationItems"]]


def verified(item: dict[str, Any], key: str) -> bool:
    """Whether the vendor's own SDK takes a notification item for Adyen's."""
    return bool(is_valid_hmac_notification(item, key))
