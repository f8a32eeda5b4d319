"""Stripe's sandbox as the conformance suite drives it."""

from collections.abc import Mapping
from typing import ClassVar

import httpx

from domain.money import Money
from domain.payment import DeclineCode, PaymentSnapshot
from gateways.contract import Gateway
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.options import StripeOptions
from tests.gateways.sandboxed import SandboxOutside
from tests.gateways.stripe.means import MEANS

_KEY = "sk_test_TheConformanceKey"


class StripeOutside(SandboxOutside):
    """Stripe at the sandbox."""

    name: ClassVar[str] = "stripe"
    operations: ClassVar[Mapping[str, str]] = {
        "create": "payment_intents.create",
        "capture": "payment_intents.capture",
        "void": "payment_intents.cancel",
        "refund": "refunds.create",
        "evidence": "disputes.update",
        "accept": "disputes.close",
        "lookup": "payment_intents.retrieve",
        "find": "payment_intents.search",
    }
    cannot: Mapping[str, str] = {"capture_pending": "the test cards have none whose capture takes time"}
    declines: Mapping[str, tuple[DeclineCode, bool]] = {
        "declined_soft": (DeclineCode.INSUFFICIENT_FUNDS, False),
        "declined_hard": (DeclineCode.FRAUD_SUSPECTED, True),
    }
    charged: Mapping[Money, int] = {
        Money(4200, "EUR"): 4200,
        Money(500, "JPY"): 500,
        Money(5120, "KWD"): 5120,
        Money(900, "ISK"): 90_000,
        Money(900, "CLP"): 900,
        Money(50_000, "MGA"): 500,
        Money(17_500, "HUF"): 17_500,
        Money(10_000, "TWD"): 10_000,
    }
    misfits = (Money(5124, "KWD"), Money(10**12, "USD"), Money(0, "USD"))
    unknown_payment = "pi_3NoSuchPaymentAnywhere"
    stranger = "whsec_nobody"

    def __init__(self, sandbox_url: str, client: httpx.AsyncClient) -> None:
        super().__init__(sandbox_url, client)
        self._endpoint = ""

    @property
    def secrets(self) -> tuple[str, ...]:  # type: ignore[override] # known only once there is an endpoint
        """The API key and what signs the webhooks."""
        return (_KEY, *self.webhook_secrets)

    def gateway(
        self, timeout_seconds: float = 5, secrets: tuple[str, ...] | None = None, base: str | None = None
    ) -> Gateway:
        """A new adapter for the sandbox's account."""
        accepted = self.webhook_secrets if secrets is None else secrets
        page = f"{self.url}/pay/"
        return StripeGateway(StripeOptions(_KEY, accepted, base or self.url, False, page, timeout_seconds))

    async def pay(self, payment: PaymentSnapshot, means: str = "good") -> None:
        """Press the button on the payment page with a test card."""
        assert payment.next_action is not None
        assert payment.next_action.url is not None
        outcome, card = MEANS[means]
        await self.press(payment.next_action.url, outcome, payment_method=card)

    async def authenticate(self, payment: PaymentSnapshot, approve: bool) -> None:
        """Answer on the bank's page."""
        action = payment.next_action
        assert action is not None
        assert action.type == "redirect"
        assert action.url is not None
        await self.press(action.url, "approve" if approve else "decline")

    async def subscribe(self, url: str) -> str:
        """Make a webhook endpoint."""
        form = {"url": url, "enabled_events[]": "*"}
        said = await self.client.post(f"{self.url}/v1/webhook_endpoints", data=form, auth=(_KEY, ""))
        endpoint = said.raise_for_status().json()
        self._endpoint = endpoint["id"]
        return str(endpoint["secret"])

    async def roll(self) -> str:
        """Roll the endpoint's secret; the old one stays good for a while."""
        return str((await self.control(f"webhook_endpoints/{self._endpoint}/roll_secret"))["secret"])

    async def search_lags(self, seconds: float) -> None:
        """Set the lag of search."""
        await self.control("search_lag", seconds=seconds)
