"""What the worlds of all sandboxes share: the control interface, the books, the inbox that webhooks go to."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

import httpx

from domain.money import Money
from domain.payment import DeclineCode, PaymentSnapshot
from gateways.contract import Gateway
from tests.gateways.inbox import Delivery, Inbox
from tests.gateways.outside import DisputeKind


class SandboxOutside(ABC):
    """One gateway at the sandbox, driven over HTTP: an `Outside`, of which a gateway's world fills in what is its own.

    `operations`: the sandbox's name for each of `VERBS` that the gateway has.
    """

    name: ClassVar[str]
    operations: ClassVar[Mapping[str, str]]
    cannot: Mapping[str, str] = {}
    declines: Mapping[str, tuple[DeclineCode, bool]]
    charged: Mapping[Money, int]
    misfits: Sequence[Money]
    unknown_payment: str
    secrets: Sequence[str]
    stranger: str
    transactions_lag = timedelta(0)

    def __init__(self, sandbox_url: str, client: httpx.AsyncClient) -> None:
        self.url, self.client = sandbox_url, client
        self.inbox = Inbox()
        self.webhook_secrets: tuple[str, ...] = ()

    async def __aenter__(self) -> Self:
        """Receive this gateway's webhooks from now on."""
        await self.inbox.__aenter__()
        self.webhook_secrets = (await self.subscribe(self.inbox.url),)
        self.inbox.reader = self.gateway()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give back connections."""
        await self.inbox.reader.close()
        await self.inbox.__aexit__(*_)

    @abstractmethod
    def gateway(
        self, timeout_seconds: float = 5, secrets: tuple[str, ...] | None = None, base: str | None = None
    ) -> Gateway:
        """A new adapter with `self.inbox` as its evidence and `secrets`, else `self.webhook_secrets`."""

    @abstractmethod
    async def pay(self, payment: PaymentSnapshot, means: str = "good") -> None:
        """The customer acts at `payment.next_action`."""

    @abstractmethod
    async def subscribe(self, url: str) -> str:
        """Webhooks of this gateway go to this address too; the answer is the secret (or id) that proves them."""

    async def authenticate(self, payment: PaymentSnapshot, approve: bool) -> None:
        """Overridden where `challenged` is possible."""
        raise NotImplementedError(f"{self.name} asks no question after the approval")

    async def roll(self) -> str:
        """A new secret for the inbox's endpoint; overridden where `rotation` is possible."""
        raise NotImplementedError(f"{self.name} has no secret to change")

    async def rotate(self) -> str:
        """Give the inbox's endpoint a second secret and accept both."""
        new = await self.roll()
        self.webhook_secrets = (*self.webhook_secrets, new)
        await self.inbox.reader.close()
        self.inbox.reader = self.gateway()
        return new

    def match(self, reference: str) -> dict[str, str]:
        """How a fault finds the calls about this checkout."""
        return {"checkout_id": reference}

    def unsigned(self, delivery: Delivery) -> Delivery:
        """The delivery without its headers, where the signature stands; overridden where it stands in the body."""
        return Delivery({}, delivery.body)

    async def fault(self, verb: str, kind: str, reference: str, **how: Any) -> None:
        """Set a fault for one checkout."""
        operation = "webhook" if verb == "webhook" else self.operations[verb]
        await self.control(
            "faults", gateway=self.name, operation=operation, kind=kind, match=self.match(reference), **how
        )

    async def movements(self, reference: str) -> list[tuple[str, int]]:
        """The rows of the sandbox's books."""
        query = {"gateway": self.name, "checkout_id": reference}
        said = await self.client.get(f"{self.url}/sandbox/books", params=query)
        return [(row["operation"], row["amount"]) for row in said.raise_for_status().json()["data"]]

    async def settle(self) -> None:
        """Settle all that is pending."""
        await self.control("settle")

    async def now(self) -> datetime:
        """The virtual time."""
        said = await self.client.get(f"{self.url}/sandbox/clock")
        return datetime.fromtimestamp(said.raise_for_status().json()["now"], UTC)

    async def pass_time(self, seconds: float) -> None:
        """Advance the virtual clock."""
        await self.control("clock", advance_seconds=seconds)

    async def search_lags(self, seconds: float) -> None:
        """Set the lag of search; overridden where `search_lag` is possible."""
        raise NotImplementedError(f"{self.name} has no search")

    async def open_dispute(self, payment: PaymentSnapshot, kind: DisputeKind, amount: Money | None = None) -> str:
        """Open a dispute; the amounts of the suite's disputes are in euros, which every gateway counts as we do."""
        part = {} if amount is None else {"amount": amount.minor}
        said = await self.control("disputes", payment=payment.payment_id, kind=kind, **part)
        return str(said["dispute"])

    async def decide(self, dispute_id: str, won: bool) -> None:
        """Decide a dispute."""
        await self.control(f"disputes/{dispute_id}/decide", outcome="won" if won else "lost")

    async def escalate(self, dispute_id: str) -> None:
        """Turn an inquiry into a chargeback."""
        await self.control(f"disputes/{dispute_id}/escalate")

    async def press(self, url: str, outcome: str, **form: str) -> httpx.Response:
        """Press a button on one of the sandbox's pages."""
        said = await self.client.post(url, data={"outcome": outcome, **form})
        assert said.status_code in (200, 302, 303), said.text
        return said

    async def control(self, path: str, **body: Any) -> dict[str, Any]:
        """A call of the sandbox's control interface."""
        said = await self.client.post(f"{self.url}/sandbox/{path}", json=body)
        assert said.is_success, said.text
        answer: dict[str, Any] = said.json()
        return answer
