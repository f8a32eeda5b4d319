"""A stand-in for the sagas: the same calls, and the same rows on the books, without Temporal."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from api.sagas import CommandRefusedError, SagaEndedError, TemporalDownError
from domain.checkout import Checkout, CheckoutStatus, Failure
from domain.payment import NextAction
from domain.saga import EndReason
from domain.states import ENDED, CheckoutState
from domain.timeline import Entry
from ledger.books import Books

S = CheckoutState


class StandInSagas:
    """`down`: Temporal is not there. `silent`: no worker answers. `pause`: how long an answer takes."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self.reset()

    def reset(self) -> None:
        """Answer at once, remember nothing."""
        self.down = self.silent = False
        self.pause = 0.0
        self.fault: Exception | None = None
        self.calls: Counter[str] = Counter()

    async def open(self, checkout: Checkout, patience: float = 3.0, legs: Sequence[Checkout] = ()) -> bool:
        """Lead the checkout and its legs to awaiting_payment, once."""
        if not await self._reached("open", checkout):
            return False
        for leg in legs:
            await self.open(leg)
        action = NextAction("confirm", client_secret=f"pi_{checkout.id}_secret_x")
        await self._to(checkout, CheckoutStatus(S.AWAITING_PAYMENT, payment_id=f"pi_{checkout.id}", next_action=action))
        return True

    async def confirm(self, checkout: Checkout, patience: float = 3.0) -> bool:
        """Complete what is paid."""
        return await self._command("confirm", checkout, {S.PAID}, CheckoutStatus(S.COMPLETED))

    async def reject(self, checkout: Checkout, reason: str, patience: float = 3.0) -> bool:
        """Give back what is paid, release what is held."""
        state = await self._state(checkout)
        failure = Failure(EndReason.REJECTED_BY_SHOP, reason)
        end = S.CANCELED if state is S.AUTHORIZED else S.REFUNDING
        return await self._command("reject", checkout, {S.PAID, S.AUTHORIZED}, CheckoutStatus(end, failure=failure))

    async def cancel(self, checkout: Checkout, patience: float = 3.0) -> bool:
        """End what is not paid."""
        return await self._command("cancel", checkout, {S.AWAITING_PAYMENT}, CheckoutStatus(S.CANCELED))

    async def paid(self, checkout_id: str, state: CheckoutState = S.PAID) -> None:
        """The customer has paid, as far as the books know."""
        record = await self._books.get(checkout_id)
        assert record is not None
        await self._to(record.checkout, CheckoutStatus(state))

    async def stuck(self, checkout_id: str) -> None:
        """The saga cannot get on by itself."""
        record = await self._books.get(checkout_id)
        assert record is not None
        await self._to(record.checkout, CheckoutStatus(S.NEEDS_REVIEW, stuck=True))

    async def _command(self, name: str, checkout: Checkout, fit: set[CheckoutState], status: CheckoutStatus) -> bool:
        if not await self._reached(name, checkout):
            return False
        state = await self._state(checkout)
        if state in ENDED:
            raise SagaEndedError(checkout.id)
        if state not in fit:
            raise CommandRefusedError(f"not while {state}")
        await self._to(checkout, status)
        return True

    async def _reached(self, name: str, checkout: Checkout) -> bool:
        self.calls[f"{name} {checkout.id}"] += 1
        await asyncio.sleep(self.pause)
        if self.fault:
            raise self.fault
        if self.down:
            raise TemporalDownError("nobody there")
        return not self.silent

    async def _state(self, checkout: Checkout) -> CheckoutState:
        record = await self._books.get(checkout.id)
        assert record is not None
        return record.status.state

    async def _to(self, checkout: Checkout, status: CheckoutStatus) -> None:
        # One time for all, so that two at once write the same row, which the books then keep once.
        await self._books.append(
            checkout.id, [Entry(str(status.state), status, "api", checkout.created_at + timedelta(milliseconds=1))]
        )
