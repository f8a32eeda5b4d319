"""Starts the workflows that nobody started: Temporal was down then, or the process that was to start them died."""

import logging
from dataclasses import dataclass
from datetime import timedelta

from api.sagas import Sagas, TemporalDownError
from domain.checkout import Checkout
from ledger.books import Books
from ledger.refunds import Refunds

logger = logging.getLogger(__name__)

BATCH = 50
UNOPENED_AFTER = timedelta(seconds=10)
# A refund looks at its payment before the key of its operation is stored: one that waits for its gateway looks as if
# it had not been started. Starting it again changes nothing, and need not be done often.
UNSTARTED_AFTER = timedelta(seconds=20)


@dataclass
class Starter:
    """Reads from the books what should be running."""

    books: Books
    refunds: Refunds
    sagas: Sagas
    _last_refund: str = ""

    async def start_unopened(self) -> None:
        """Start what was recorded and for which nothing was ever done."""
        for record in await self.books.find_unopened(UNOPENED_AFTER, BATCH):
            try:
                await self.start(record.checkout)
            except TemporalDownError:
                return
            except Exception:
                # The oldest come first: one that can never be started must not keep the others waiting.
                logger.exception("%s cannot be started", record.checkout.id)

    async def start_refunds(self) -> None:
        """Start the refunds that nobody may be at, some at a time, and from the first one again after the last.

        One that runs is only joined, so those that wait for their gateway keep no other waiting.
        """
        found = await self.refunds.find_unstarted(UNSTARTED_AFTER, BATCH, self._last_refund)
        self._last_refund = found[-1].refund.id if len(found) == BATCH else ""
        for record in found:
            checkout = await self.books.get(record.refund.checkout_id)
            assert checkout is not None, "a checkout is never deleted"
            try:
                await self.sagas.start_refund(record, checkout)
            except TemporalDownError:
                return
            except Exception:
                logger.exception("%s cannot be started", record.refund.id)

    async def start(self, checkout: Checkout) -> None:
        """A tender is started by its split checkout alone, whose workflow may be the one that is missing."""
        if checkout.parent_id is not None:
            record = await self.books.get(checkout.parent_id)
            assert record is not None, "a checkout is never deleted"
            checkout = record.checkout
        legs = await self.books.legs(checkout.id) if checkout.is_split else ()
        await self.sagas.start(checkout, [leg.checkout for leg in legs])
