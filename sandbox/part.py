"""What a gateway hands to the sandbox as a whole: its options, its addresses, and what it does by itself."""

import argparse
from abc import ABC, abstractmethod
from typing import ClassVar

from starlette.routing import BaseRoute

from sandbox.control.errors import ConflictError
from sandbox.disputes import Wanted
from sandbox.gateway import Gateway
from sandbox.store import Due, Json
from sandbox.webhooks.deliveries import Letter, Variant


class Part(ABC):
    """One gateway as the sandbox plays it; built with `Tools` and the parsed options."""

    gateway: Gateway
    operations: ClassVar[frozenset[str]]
    """The names under which faults know its calls."""
    settleable: ClassVar[tuple[str, ...]]
    """The tasks that `/sandbox/settle` does not wait for."""
    lying_events: ClassVar[bool] = False
    """Whether `letter` knows the variants in which an event lies about its money; worth it where nobody reads again."""

    @staticmethod
    @abstractmethod
    def options(parser: argparse.ArgumentParser) -> None:
        """Add the gateway's settings, `--<name>-…`, each with its environment variable as the default."""

    @staticmethod
    def problem(given: argparse.Namespace) -> str | None:
        """What does not fit together in the settings, if anything."""
        return None

    @abstractmethod
    def routes(self) -> list[BaseRoute]:
        """The API, the pages, and control calls that only this gateway has."""

    @abstractmethod
    def latest(self) -> list[tuple[str, ...]]:
        """The newest payments as escaped cells: a link to the page, the amount, the status, the checkout."""

    @abstractmethod
    def letter(self, endpoint: str, variant: Variant, events: list[bytes]) -> Letter:
        """Events as they are posted, signed, or signed wrongly where the variant is `forged`."""

    @abstractmethod
    def carry_out(self, due: Due) -> bool:
        """Do what is due if the object still is where it was when this was planned; whether it moved."""

    @abstractmethod
    def pay_late(self, payment: str, body: Json) -> Json:
        """Let money arrive for a payment that is over; raises ControlError or ConflictError where it cannot."""

    def open_dispute(self, payment: str, wanted: Wanted) -> str:
        """Let the customer dispute a payment, inside a transaction; the answer is the dispute's id.

        It raises ConflictError where the payment cannot be disputed now, which without disputes is always.
        """
        raise ConflictError("payment", f"cannot be disputed: this {self.gateway.name} knows no disputes")

    def decide_dispute(self, dispute: str, *, won: bool) -> None:
        """Let a dispute end, inside a transaction; raises ConflictError for one that has ended."""
        raise ConflictError("dispute", "cannot be decided")

    def escalate_dispute(self, dispute: str) -> None:
        """Make a chargeback of an inquiry, inside a transaction; raises ConflictError for anything else."""
        raise ConflictError("dispute", "cannot become a chargeback")

    def batch(self) -> int:
        """How many events one delivery may carry."""
        return 1

    def announced(self) -> dict[str, str]:
        """What the announce file says of this gateway."""
        return {}
