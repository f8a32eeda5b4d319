"""A stand-in for the sagas: the same calls, and the same rows on the books, without Temporal."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from api.sagas import CommandRefusedError, InvalidCommandError, SagaEndedError, TemporalDownError
from domain import postings
from domain.checkout import Checkout, CheckoutRecord, CheckoutStatus, Failure
from domain.money import Money
from domain.payment import NextAction
from domain.postings import Transaction
from domain.saga import CaptureOrder, EndReason
from domain.states import ENDED, CheckoutState
from domain.timeline import Entry
from ledger.books import Books

from .after_sale import AfterSale

S = CheckoutState


class StandInSagas(AfterSale):
    """`down`: Temporal is not there. `silent`: no worker answers. `pause`: how long an answer takes."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self.reset()

    def reset(self) -> None:
        """Answer at once, remember nothing."""
        self.down = self.silent = False
        self.pause = 0.0
        self.fault: Exception | None = None
        self.calls: Counter[str] = Counter()
        self.captured: dict[str, str] = {}
        self.reset_after_sale()

    async def open(self, checkout: Checkout, patience: float = 3.0, legs: Sequence[Checkout] = ()) -> bool:
        """Lead the checkout and its legs to awaiting_payment, once."""
        if not await self._reached("open", checkout):
            return False
        for leg in legs:
            await self.open(leg)
        action = NextAction("confirm", client_secret=f"pi_{checkout.id}_secret_x")
        await self._to(checkout, CheckoutStatus(S.AWAITING_PAYMENT, payment_id=f"pi_{checkout.id}", next_action=action))
        return True

    async def capture(
        self, checkout: Checkout, order: CaptureOrder, update_id: str | None = None, patience: float = 3.0
    ) -> bool:
        """Take what is asked for of the hold, once per update id."""
        if not await self._reached("capture", checkout):
            return False
        if update_id is not None and self.captured.get(update_id) == checkout.id:
            return True
        record = await self._record(checkout)
        if record.status.state in ENDED:
            raise SagaEndedError(checkout.id)
        if record.status.state not in (S.AUTHORIZED, S.PARTIALLY_CAPTURED):
            raise CommandRefusedError(f"not while {record.status.state}")
        left = checkout.amount.minor - record.status.captured_minor
        wanted = left if order.amount_minor is None else order.amount_minor
        if wanted > left:
            raise InvalidCommandError(f"amount: {wanted} is more than the {left} that is left")
        if update_id is not None:
            self.captured[update_id] = checkout.id
        state, released = (S.PAID, left) if order.final else (S.PARTIALLY_CAPTURED, wanted)
        taken = (
            postings.capture(checkout.gateway, f"pi_{checkout.id}", _of(checkout, wanted), _of(checkout, released)),
        )
        await self._to(checkout, _status(checkout, state), taken, f"{state}:{record.sequence}")
        if order.final:
            await self._to(checkout, _status(checkout, S.COMPLETED))
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

    async def held(self, checkout_id: str) -> CheckoutRecord:
        """The gateway holds the money, as the books have it."""
        record = await self._books.get(checkout_id)
        assert record is not None
        checkout = record.checkout
        hold = postings.authorize(checkout.gateway, f"pi_{checkout.id}", checkout.amount)
        await self._to(checkout, _status(checkout, S.AUTHORIZED), (hold,))
        return await self._record(checkout)

    async def sold(self, checkout_id: str) -> CheckoutRecord:
        """The sale is made and the money is on the books."""
        record = await self._books.get(checkout_id)
        assert record is not None
        checkout = record.checkout
        taken = postings.capture(checkout.gateway, f"pi_{checkout.id}", checkout.amount, _of(checkout, 0))
        await self._to(checkout, _status(checkout, S.PAID), (taken,))
        await self._to(checkout, _status(checkout, S.COMPLETED))
        return await self._record(checkout)

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

    async def _record(self, checkout: Checkout) -> CheckoutRecord:
        record = await self._books.get(checkout.id)
        assert record is not None
        return record

    async def _state(self, checkout: Checkout) -> CheckoutState:
        return (await self._record(checkout)).status.state

    async def _to(
        self,
        checkout: Checkout,
        status: CheckoutStatus,
        transactions: tuple[Transaction, ...] = (),
        key: str | None = None,
    ) -> None:
        # One time for all, so that two at once write the same row, which the books then keep once.
        at = checkout.created_at + timedelta(milliseconds=1)
        entry = Entry(key or str(status.state), status, "api", at, transactions=transactions)
        await self._books.append(checkout.id, [entry])


def _status(checkout: Checkout, state: CheckoutState) -> CheckoutStatus:
    return CheckoutStatus(state, payment_id=f"pi_{checkout.id}")


def _of(checkout: Checkout, minor: int) -> Money:
    return Money(minor, checkout.amount.currency)
