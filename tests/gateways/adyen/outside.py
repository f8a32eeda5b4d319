"""Adyen's sandbox as the conformance suite drives it."""

import json
from collections.abc import Mapping
from typing import ClassVar

import httpx

from domain.money import Money
from domain.payment import DeclineCode, PaymentSnapshot
from gateways.adyen.adapter import AdyenGateway
from gateways.adyen.options import AdyenOptions
from gateways.contract import Gateway
from tests.gateways.inbox import Delivery
from tests.gateways.outside import DisputeKind
from tests.gateways.sandboxed import SandboxOutside

_KEY = "AQETheConformanceKeyThatMustNotShow"
_MEANS: Mapping[str, tuple[str, str]] = {
    "good": ("approve", "good"),
    "declined_soft": ("decline", "declined_soft"),
    "declined_hard": ("decline", "declined_hard"),
    "challenged": ("approve", "challenged"),
    "refund_pending": ("approve", "refund_pending"),
    "refund_fails": ("approve", "refund_fails"),
    "capture_pending": ("approve", "capture_slow"),
}


class AdyenOutside(SandboxOutside):
    """Adyen at the sandbox."""

    name: ClassVar[str] = "adyen"
    account: ClassVar[str] = "PaysagaECOM"
    several_captures: ClassVar[bool] = False
    operations: ClassVar[Mapping[str, str]] = {
        "create": "adyen.payment_links.create",
        "capture": "adyen.payments.capture",
        "void": "adyen.payments.cancel",
        "refund": "adyen.payments.refund",
        "lookup": "adyen.payment_links.get",
        "evidence": "adyen.disputes.defend",
        "accept": "adyen.disputes.accept",
    }
    cannot: Mapping[str, str] = {
        "stored_500": "a failure is never taken for a spent key: what it did may still be told of by a webhook",
        "livemode_true": "its answers do not state the mode; notifications do, outside of their signature",
        "search_lag": "there is no search",
    }
    declines: Mapping[str, tuple[DeclineCode, bool]] = {
        "declined_soft": (DeclineCode.INSUFFICIENT_FUNDS, False),
        "declined_hard": (DeclineCode.FRAUD_SUSPECTED, True),
    }
    charged: Mapping[Money, int] = {
        Money(4200, "EUR"): 4200,
        Money(500, "JPY"): 500,
        Money(5120, "KWD"): 5120,
        Money(900, "ISK"): 90_000,
        Money(900, "CLP"): 90_000,
        Money(17_500, "HUF"): 17_500,
        Money(10_000, "TWD"): 10_000,
    }
    misfits = (Money(4250, "CVE"), Money(150, "IDR"), Money(10**12, "USD"), Money(0, "USD"), Money(4200, "MGA"))
    unknown_payment = "PL0000000000000000"
    stranger = "5742" * 16

    def __init__(self, sandbox_url: str, client: httpx.AsyncClient) -> None:
        super().__init__(sandbox_url, client)
        self._endpoint = ""
        self._challenges: dict[str, str] = {}

    @property
    def secrets(self) -> tuple[str, ...]:  # type: ignore[override] # known only once there is an endpoint
        """The API key and what signs the notifications."""
        return (_KEY, *self.webhook_secrets)

    def gateway(
        self, timeout_seconds: float = 5, secrets: tuple[str, ...] | None = None, base: str | None = None
    ) -> Gateway:
        """A new adapter for the sandbox's account, with the inbox as its evidence."""
        accepted = self.webhook_secrets if secrets is None else secrets
        address = base or f"{self.url}/adyen/v72"
        disputes = base or f"{self.url}/adyen/ca/services/DisputeService/v30"
        options = AdyenOptions(
            _KEY, self.account, accepted, address, False, timeout_seconds, disputes, self.several_captures
        )
        return AdyenGateway(options, self.inbox)

    async def open_dispute(self, payment: PaymentSnapshot, kind: DisputeKind, amount: Money | None = None) -> str:
        """Open a dispute; what leads to it is the checkout beside Adyen's own id."""
        return f"{payment.reference}:{await super().open_dispute(payment, kind, amount)}"

    async def decide(self, dispute_id: str, won: bool) -> None:
        """Decide a dispute by Adyen's own id."""
        await super().decide(dispute_id.rpartition(":")[2], won)

    async def escalate(self, dispute_id: str) -> None:
        """Escalate a dispute by Adyen's own id."""
        await super().escalate(dispute_id.rpartition(":")[2])

    async def pay(self, payment: PaymentSnapshot, means: str = "good") -> None:
        """Press the button on the link's page with a test card; a challenge leads on to the bank's page."""
        assert payment.next_action is not None
        assert payment.next_action.url is not None
        outcome, card = _MEANS[means]
        said = await self.press(payment.next_action.url, outcome, card=card)
        if means == "challenged":
            self._challenges[payment.payment_id] = self.url + said.headers["location"]

    async def authenticate(self, payment: PaymentSnapshot, approve: bool) -> None:
        """Answer on the bank's page."""
        await self.press(self._challenges.pop(payment.payment_id), "approve" if approve else "decline")

    async def subscribe(self, url: str) -> str:
        """Make a webhook endpoint."""
        endpoint = await self.control("adyen/endpoints", url=url)
        self._endpoint = endpoint["id"]
        return str(endpoint["hmac_key"])

    async def roll(self) -> str:
        """A new HMAC key, with which the endpoint's notifications are signed from now on."""
        return str((await self.control(f"adyen/endpoints/{self._endpoint}/roll_key"))["hmac_key"])

    def unsigned(self, delivery: Delivery) -> Delivery:
        """The delivery without the signatures in its items."""
        document = json.loads(delivery.body)
        for item in document["notificationItems"]:
            del item["NotificationRequestItem"]["additionalData"]["hmacSignature"]
        return Delivery(delivery.headers, json.dumps(document).encode())


class SeveralCapturesOutside(AdyenOutside):
    """The same with an account for which Adyen has switched on multiple partial captures."""

    account: ClassVar[str] = "PaysagaSeveral"
    several_captures: ClassVar[bool] = True
