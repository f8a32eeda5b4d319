"""What takes its time at a gateway: days at a real one; here, until all that wait for it are there."""

from collections.abc import Awaitable, Callable

from devstack.demo import casework
from devstack.demo.aftersale import sold
from devstack.demo.customers import Call, Means
from devstack.demo.meeting import Meeting
from devstack.demo.people import Json, StoryError, accepted
from devstack.demo.plays import rejected
from devstack.demo.stage import Stage, eventually

_PENDING = "pending at the gateway"
_IN_PASSING_SECONDS = 0.05
_NOT_YET_SECONDS = 60.0


class Settling:
    """The sandbox settles everything at once, so nobody lets it before all have been seen pending."""

    def __init__(self) -> None:
        self.meeting = Meeting()

    async def refund(self, stage: Stage) -> None:
        """The money is on its way back for a while."""
        await self._together(stage, self._until_refund_pends, "refunded")

    async def capture(self, stage: Stage) -> None:
        """The customer has paid, and the gateway does not have the money yet."""
        await self._together(stage, self._until_capture_pends, "completed")

    async def failed_refund(self, stage: Stage) -> None:
        """A refund that the gateway has taken on comes back after days: a person is told, and closes the case."""
        await self._refund_comes_back(stage)
        await casework.closed_by_one(stage)

    async def failed_large_refund(self, stage: Stage) -> None:
        """The same over more than one person may move: what could not go back is written off by two."""
        await self._refund_comes_back(stage)
        await casework.written_off_by_two(stage)

    @property
    def waiting(self) -> tuple[Callable[[Stage], Awaitable[None]], ...]:
        """The stories that wait for each other."""
        return self.refund, self.capture, self.failed_refund, self.failed_large_refund

    async def _refund_comes_back(self, stage: Stage) -> None:
        await self._all_pending(stage, _until_refund_is_taken_on)

        async def settled() -> Json:
            await stage.side.control("/settle")
            return (await stage.shop.refunds(stage.checkout_id))[0]

        await eventually(settled, lambda refund: refund["status"] == "failed", "the refund to fail", _NOT_YET_SECONDS)

    async def _together(self, stage: Stage, until_pending: Callable[[Stage], Awaitable[None]], end: str) -> None:
        await self._all_pending(stage, until_pending)

        async def settled() -> Json:
            await stage.side.control("/settle")
            return await stage.shop.checkout(stage.checkout_id)

        await eventually(settled, lambda checkout: checkout["state"] == end, end, _NOT_YET_SECONDS)

    async def _all_pending(self, stage: Stage, until_pending: Callable[[Stage], Awaitable[None]]) -> None:
        try:
            await until_pending(stage)
        except BaseException:
            await self.meeting.give_up(_PENDING)
            raise
        await self.meeting.reach(_PENDING)
        await self.meeting.all_at(_PENDING)
        stage.say("it settles at the gateway")

    @staticmethod
    async def _until_refund_pends(stage: Stage) -> None:
        await rejected(stage, Means.SLOW_REFUND)
        pending = await stage.until("refunding")
        if pending["amount_refunded"] != 0:
            raise StoryError("a pending refund already counts as refunded")
        if stage.manners.truth_by_webhook:
            return

        async def booked_as_pending() -> bool:
            return any(row["kind"] == "refund" for row in await stage.shop.postings(stage.checkout_id))

        await eventually(booked_as_pending, bool, "the pending refund to be on the books")

    @staticmethod
    async def _until_capture_pends(stage: Stage) -> None:
        await stage.open()
        call = Call.TAKE if Call.TAKE in stage.manners.calls else Call.CAPTURE
        # Harms nothing; that it strikes tells that the money was asked for.
        asked = await stage.fault(call, "slow", seconds=_IN_PASSING_SECONDS)
        await stage.pay(Means.SLOW)
        await stage.fired(asked)
        checkout = await stage.until("awaiting_payment", "authorized")
        if checkout["amount_captured"] != 0:
            raise StoryError("a pending capture already counts as captured")


async def _until_refund_is_taken_on(stage: Stage) -> None:
    await sold(stage, Means.FAILING_REFUND)
    accepted(await stage.refund(), 201, 202)

    async def taken_on() -> bool:
        return any(refund["gateway_refund_id"] for refund in await stage.shop.refunds(stage.checkout_id))

    await eventually(taken_on, bool, "the gateway to take the refund on")
