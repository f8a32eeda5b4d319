"""PayPal's sandbox as the conformance suite drives it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Self

import httpx

from domain.money import Money
from domain.payment import DeclineCode, PaymentSnapshot
from gateways.contract import Gateway
from gateways.paypal.adapter import PayPalGateway
from gateways.paypal.options import PayPalOptions
from tests.gateways.sandboxed import SandboxOutside

_CLIENT, _SECRET = "TheConformanceClient", "sandbox_TheConformanceSecret"
_MERCHANT = "SANDBXMERCHNT"
_FUNDINGS: Mapping[str, str] = {
    "good": "good",
    "declined_soft": "declined",
    "declined_hard": "refused_hard",
    "refund_pending": "refund_pending",
    "refund_fails": "refund_fails",
    "capture_pending": "capture_pending",
}


class PayPalOutside(SandboxOutside):
    """PayPal at the sandbox."""

    name: ClassVar[str] = "paypal"
    operations: ClassVar[Mapping[str, str]] = {
        "create": "paypal.orders.create",
        "authorize": "paypal.orders.authorize",
        "capture": "paypal.authorizations.capture",
        "take": "paypal.orders.capture",
        "void": "paypal.authorizations.void",
        "refund": "paypal.captures.refund",
        "reauthorize": "paypal.authorizations.reauthorize",
        "evidence": "paypal.disputes.provide_evidence",
        "accept": "paypal.disputes.accept_claim",
        "lookup": "paypal.orders.get",
    }
    cannot: Mapping[str, str] = {
        "challenged": "the payer answers every question on PayPal's own page, before the approval",
        "stored_500": "a request id keeps what a call made, and a failed call made nothing",
        "other_request": "a repeated request id answers what the first call made, whatever the second one asks for",
        "search_lag": "there is no search",
        "rotation": "deliveries are proven by certificate: the account has no secret to change",
    }
    declines: Mapping[str, tuple[DeclineCode, bool]] = {
        "declined_soft": (DeclineCode.DO_NOT_HONOR, False),
        "declined_hard": (DeclineCode.FRAUD_SUSPECTED, True),
    }
    charged: Mapping[Money, int] = {
        Money(500, "JPY"): 500,
        Money(17_500, "HUF"): 175,
        Money(10_000, "TWD"): 100,
        Money(4_200, "EUR"): 4_200,
    }
    misfits = (Money(17_550, "HUF"), Money(5_120, "KWD"), Money(10**12, "USD"), Money(0, "USD"))
    unknown_payment = "5O190127TN364715T"
    stranger = "5AND80XN0B0DYSWEB"
    secrets = (_SECRET,)
    transactions_lag = timedelta(hours=3)

    def __init__(self, sandbox_url: str, client: httpx.AsyncClient) -> None:
        super().__init__(sandbox_url, client)
        self._roots = b""
        self._pages: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        """Receive webhooks, and trust the root that vouches for their signer."""
        said = await self.client.get(f"{self.url}/sandbox/paypal/ca.pem")
        self._roots = said.raise_for_status().content
        return await super().__aenter__()

    def gateway(
        self, timeout_seconds: float = 5, secrets: tuple[str, ...] | None = None, base: str | None = None
    ) -> Gateway:
        """A new adapter for the sandbox's account; PayPal's webhook id is in the place of a secret."""
        (webhook_id,) = self.webhook_secrets if secrets is None else secrets
        options = PayPalOptions(
            client_id=_CLIENT,
            client_secret=_SECRET,
            webhook_id=webhook_id,
            api_base=f"{base or self.url}/paypal",
            merchant_id=_MERCHANT,
            webhook_roots=self._roots,
            timeout_seconds=timeout_seconds,
        )
        return PayPalGateway(options, self.inbox)

    async def pay(self, payment: PaymentSnapshot, means: str = "good") -> None:
        """Approve on PayPal's page, with means that will do what they are wanted for.

        A payer whose means were declined goes back to the page they know: an approved order names it no more.
        """
        if payment.next_action is not None and payment.next_action.url is not None:
            self._pages[payment.payment_id] = payment.next_action.url
        await self.press(self._pages[payment.payment_id], "approve", funding=_FUNDINGS[means])

    async def subscribe(self, url: str) -> str:
        """Register a webhook; the answer is its id, which is part of every signature."""
        granted = await self.client.post(
            f"{self.url}/paypal/v1/oauth2/token", data={"grant_type": "client_credentials"}, auth=(_CLIENT, _SECRET)
        )
        said = await self.client.post(
            f"{self.url}/paypal/v1/notifications/webhooks",
            json={"url": url, "event_types": [{"name": "*"}]},
            headers={"Authorization": f"Bearer {granted.raise_for_status().json()['access_token']}"},
        )
        return str(said.raise_for_status().json()["id"])
