"""The real test environment of a gateway as the conformance suite sees it: no faults, no clock, no foreign books.

Run by `make test-live GATEWAY=…` with a test account's own credentials in the environment; live ones are refused.
"""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx
import pytest

from config.environment import SettingsError
from domain.money import Money
from domain.payment import PaymentSnapshot
from gateways.contract import Gateway
from gateways.registry import REGISTRY
from tests.gateways.inbox import Delivery, Inbox
from tests.gateways.outside import ABILITIES, DisputeKind, world_class
from tests.gateways.stripe import customer

VARIABLE = "PAYSAGA_LIVE_GATEWAY"
_IN_A_BROWSER = "a real customer agrees in a browser, which no test has"


@dataclass(frozen=True)
class LiveAccount:
    """How a test account is reached: the variables it needs, and made-up values for those that only webhooks need.

    `pay` acts for the customer by the gateway's API, `movements` reads the gateway's own records of a payment; None
    where the gateway leaves the customer to a browser, so that no money can move.
    """

    needed: tuple[str, ...]
    made_up: Mapping[str, str] = field(default_factory=dict)
    pay: Callable[[httpx.AsyncClient, PaymentSnapshot, str], Awaitable[None]] | None = None
    movements: Callable[[httpx.AsyncClient, str], Awaitable[list[tuple[str, int]]]] | None = None


ACCOUNTS: Mapping[str, LiveAccount] = {
    "stripe": LiveAccount(
        ("STRIPE_API_KEY",), {"STRIPE_WEBHOOK_SECRET": "whsec_unused"}, customer.confirm, customer.movements
    ),
    "paypal": LiveAccount(("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET"), {"PAYPAL_WEBHOOK_ID": "0AB12345CD678901E"}),
    "adyen": LiveAccount(("ADYEN_API_KEY", "ADYEN_MERCHANT_ACCOUNT"), {"ADYEN_HMAC_KEY": "00" * 32}),
}


def chosen() -> str | None:
    """The gateway whose real test environment is to be used; None for the sandbox."""
    name = os.environ.get(VARIABLE) or None
    if name is not None and name not in REGISTRY:
        raise pytest.UsageError(f"{VARIABLE}={name}: there are {', '.join(REGISTRY)}")
    return name


class LiveOutside:
    """One gateway's real test environment. What the sandbox's world knows of the gateway itself holds here too."""

    transactions_lag = timedelta(0)
    secrets: Sequence[str] = ()

    def __init__(self, name: str, client: httpx.AsyncClient) -> None:
        known: Any = world_class(name)
        self.name, self._account, self._client = name, ACCOUNTS[name], client
        self.declines, self.charged, self.misfits = known.declines, known.charged, known.misfits
        self.unknown_payment, self.stranger = known.unknown_payment, known.stranger
        self.cannot: Mapping[str, str] = {
            **known.cannot,
            "control": "at the real gateway nothing can be made to go wrong",
        }
        if self._account.pay is None:
            self.cannot = {**self.cannot, "pay": _IN_A_BROWSER}
        self.inbox = Inbox()
        self._payments: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        """Check the credentials: the run is skipped without any, and ended at once when real money could move."""
        missing = [name for name in self._account.needed if not os.environ.get(name)]
        if missing:
            pytest.skip(f"the {self.name} test account needs {', '.join(missing)} in the environment")
        for name, value in self._account.made_up.items():
            os.environ.setdefault(name, value)
        gateway = self.gateway()
        await gateway.close()
        if gateway.capabilities.live:
            pytest.exit(f"the credentials of {self.name} are live: real money would move", returncode=2)
        self.inbox.reader = gateway
        await self.inbox.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is left open."""
        await self.inbox.__aexit__(*_)

    def gateway(
        self, timeout_seconds: float = 5, secrets: tuple[str, ...] | None = None, base: str | None = None
    ) -> Gateway:
        """A new adapter as the product builds it from the environment."""
        try:
            return REGISTRY[self.name].builder()(self.inbox)
        except SettingsError as error:
            pytest.exit(str(error), returncode=2)

    async def pay(self, payment: PaymentSnapshot, means: str = "good") -> None:
        """The customer pays by the gateway's API."""
        if self._account.pay is None:
            pytest.skip(f"{self.name}: {_IN_A_BROWSER}")
        assert payment.reference is not None
        self._payments[payment.reference] = payment.payment_id
        await self._account.pay(self._client, payment, means)

    async def movements(self, reference: str) -> list[tuple[str, int]]:
        """What the gateway's API lists of the payment; nothing for one that no customer was asked to pay."""
        if self._account.movements is None or reference not in self._payments:
            return []
        return await self._account.movements(self._client, self._payments[reference])

    async def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC)

    async def authenticate(self, payment: PaymentSnapshot, approve: bool) -> None:
        """Not by a test."""
        raise self._impossible()

    async def fault(self, verb: str, kind: str, reference: str, **how: Any) -> None:
        """Not by a test."""
        raise self._impossible()

    async def settle(self) -> None:
        """Not by a test."""
        raise self._impossible()

    async def pass_time(self, seconds: float) -> None:
        """Not by a test."""
        raise self._impossible()

    async def search_lags(self, seconds: float) -> None:
        """Not by a test."""
        raise self._impossible()

    async def open_dispute(self, payment: PaymentSnapshot, kind: DisputeKind, amount: Money | None = None) -> str:
        """Not by a test."""
        raise self._impossible()

    async def decide(self, dispute_id: str, won: bool) -> None:
        """Not by a test."""
        raise self._impossible()

    async def escalate(self, dispute_id: str) -> None:
        """Not by a test."""
        raise self._impossible()

    async def rotate(self) -> str:
        """Not by a test."""
        raise self._impossible()

    def unsigned(self, delivery: Delivery) -> Delivery:
        """Not by a test."""
        raise self._impossible()

    def _impossible(self) -> AssertionError:
        return AssertionError(f"{ABILITIES['control']}: not at the real {self.name}; the case must not be marked live")
