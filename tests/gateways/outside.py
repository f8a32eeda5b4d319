"""The world around a gateway, in words that hold for every gateway: customers, faults, and the gateway's own books."""

from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from domain.payment import NextAction, PaymentSnapshot
from gateways.contract import Gateway
from gateways.registry import build_gateways
from gateways.stripe.options import StripeOptions


class Outside(Protocol):
    """What a test can do to one gateway from outside. `means` is one of the keys of `MEANS`."""

    def gateway(self, timeout_seconds: float = 5, secrets: tuple[str, ...] = ()) -> Gateway:
        """A new adapter for this account."""
        ...

    async def pay(self, payment: PaymentSnapshot, means: str = "good") -> None:
        """The customer pays, or tries to."""
        ...

    async def authenticate(self, action: NextAction, approve: bool) -> None:
        """The customer answers the bank's question."""
        ...

    async def fault(self, verb: str, kind: str, reference: str, **how: Any) -> None:
        """The next call of `verb` for this checkout goes wrong in this way."""
        ...

    async def movements(self, reference: str) -> list[tuple[str, int]]:
        """What the gateway's own books say happened for this checkout, in order."""
        ...

    async def settle(self) -> None:
        """What the gateway has pending happens now."""
        ...

    async def pass_time(self, seconds: float) -> None:
        """The gateway's clock moves on."""
        ...

    async def search_lags(self, seconds: float) -> None:
        """New payments stay invisible to the gateway's search for this long."""
        ...

    async def subscribe(self, url: str) -> str:
        """Webhooks go to this address too; the answer is the secret that signs them."""
        ...

    async def rotate(self, url: str) -> str:
        """A second secret signs for this address beside the first; the answer is the new one."""
        ...


MEANS: Mapping[str, tuple[str, str]] = {
    "good": ("approve", "pm_card_visa"),
    "declined_soft": ("decline", "pm_card_chargeDeclinedInsufficientFunds"),
    "declined_hard": ("decline", "pm_card_chargeDeclinedFraudulent"),
    "challenged": ("approve", "pm_card_authenticationRequired"),
    "refund_pending": ("approve", "pm_card_pendingRefund"),
    "refund_fails": ("approve", "pm_card_refundFail"),
}
"""How a customer pays: the button on the sandbox's page and the test card."""

OPERATIONS = {
    "create": "payment_intents.create",
    "capture": "payment_intents.capture",
    "void": "payment_intents.cancel",
    "refund": "refunds.create",
    "lookup": "payment_intents.retrieve",
    "find": "payment_intents.search",
}


class StripeOutside:
    """Stripe's sandbox, driven over HTTP."""

    key = "sk_test_conformance"

    def __init__(self, sandbox_url: str, client: httpx.AsyncClient) -> None:
        self._url, self._client = sandbox_url, client
        self._endpoints: dict[str, str] = {}

    def gateway(self, timeout_seconds: float = 5, secrets: tuple[str, ...] = ()) -> Gateway:
        """A new adapter for the sandbox's account."""
        page = f"{self._url}/pay/"
        options = StripeOptions(self.key, secrets, self._url, False, page, timeout_seconds)
        return build_gateways(options)["stripe"]

    async def pay(self, payment: PaymentSnapshot, means: str = "good") -> None:
        """Press the button on the payment page with a test card."""
        assert payment.next_action is not None
        assert payment.next_action.url is not None
        outcome, card = MEANS[means]
        await self._press(payment.next_action.url, outcome, payment_method=card)

    async def authenticate(self, action: NextAction, approve: bool) -> None:
        """Answer on the bank's page."""
        assert action.type == "redirect"
        assert action.url is not None
        await self._press(action.url, "approve" if approve else "decline")

    async def fault(self, verb: str, kind: str, reference: str, **how: Any) -> None:
        """Set a fault for one checkout."""
        match = {"checkout_id": reference}
        await self._control("faults", operation=OPERATIONS[verb], kind=kind, match=match, **how)

    async def movements(self, reference: str) -> list[tuple[str, int]]:
        """The rows of the sandbox's books."""
        query = {"gateway": "stripe", "checkout_id": reference}
        said = await self._client.get(f"{self._url}/sandbox/books", params=query)
        return [(row["operation"], row["amount"]) for row in said.raise_for_status().json()["data"]]

    async def settle(self) -> None:
        """Settle all that is pending."""
        await self._control("settle")

    async def pass_time(self, seconds: float) -> None:
        """Advance the virtual clock."""
        await self._control("clock", advance_seconds=seconds)

    async def search_lags(self, seconds: float) -> None:
        """Set the lag of search."""
        await self._control("search_lag", seconds=seconds)

    async def subscribe(self, url: str) -> str:
        """Make a webhook endpoint."""
        form = {"url": url, "enabled_events[]": "*"}
        said = await self._client.post(f"{self._url}/v1/webhook_endpoints", data=form, auth=(self.key, ""))
        endpoint = said.raise_for_status().json()
        self._endpoints[url] = endpoint["id"]
        return str(endpoint["secret"])

    async def rotate(self, url: str) -> str:
        """Roll the endpoint's secret; the old one stays good for a while."""
        said = await self._control(f"webhook_endpoints/{self._endpoints[url]}/roll_secret")
        return str(said["secret"])

    async def _press(self, url: str, outcome: str, **form: str) -> None:
        said = await self._client.post(url, data={"outcome": outcome, **form})
        assert said.status_code in (200, 303), said.text

    async def _control(self, path: str, **body: Any) -> dict[str, Any]:
        said = await self._client.post(f"{self._url}/sandbox/{path}", json=body)
        assert said.is_success, said.text
        answer: dict[str, Any] = said.json()
        return answer
