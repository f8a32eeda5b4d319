"""Every sight in every state: the checkout does what the table in docs/events.md says, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

import worker
from domain.booked import catch_up
from domain.checkout import Checkout, CheckoutStatus
from domain.payment import PaymentSnapshot
from domain.reactions import Reaction, Sight, reaction, seen_as
from domain.states import ENDED, CheckoutState
from domain.timeline import TimelineRow
from gateways.contract import Evidence, Gateway
from ledger.contract import InboxItem
from tests.conftest import new_database
from tests.workflows.puppet import NAME, Puppet
from tests.workflows.reacting import STAGES, Stage, sight_of
from tests.workflows.sandboxes import Announced, stripe_options
from tests.workflows.support import eventually, running_shop

R, S, G = Reaction, CheckoutState, Sight
SETTLED = 0.7
"""Longer than anything here takes: after so many seconds without a row none comes any more."""


@pytest.fixture(scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory, server_url: str, template_database: str, temporal_address: str
) -> AsyncIterator[Stage]:
    """A stack with a puppet for a gateway, on books of its own."""
    puppets: list[Puppet] = []

    def further(announced: Announced) -> dict[str, object]:
        def build(evidence: Evidence) -> Gateway:
            puppets.append(Puppet(stripe_options(announced)).setup())
            return puppets[-1]

        return {NAME: build}

    async with (
        new_database(server_url, template_database) as url,
        running_shop(tmp_path_factory.mktemp("puppet"), url, temporal_address, further) as shop,  # type: ignore[arg-type]
    ):
        puppet = shop.parts.gateways[NAME]
        assert isinstance(puppet, Puppet)
        yield Stage(shop, puppet)


async def tell(stage: Stage, checkout: Checkout, payment: PaymentSnapshot) -> None:
    """The gateway shows it; a webhook says so, by the way that the checkout's end leaves open."""
    if (await stage.shop.status(checkout)).state not in ENDED:
        await stage.show(checkout, payment)
        return
    stage.puppet.payments[payment.payment_id] = payment
    event = InboxItem(0, NAME, f"evt_{checkout.id}", "shown", payment.payment_id, checkout.id, datetime.now(UTC), 1)
    assert await worker.build_dispatcher(stage.shop.parts).dispatch(event) is not None


class Effect:
    """What has become of a checkout since."""

    def __init__(self, stage: Stage, checkout: Checkout, shown: PaymentSnapshot) -> None:
        self._stage, self.checkout, self.shown = stage, checkout, shown
        self._id = shown.payment_id

    async def begin(self) -> None:
        """Remember how it is."""
        self.state = (await self._stage.shop.status(self.checkout)).state
        self._known = len(await self._stage.shop.timeline(self.checkout))
        self._calls = dict(self._stage.puppet.calls)
        self.missing = bool(catch_up(await self._stage.books(self.checkout), self.shown))

    async def rows(self) -> list[TimelineRow]:
        """The timeline's new rows."""
        return (await self._stage.shop.timeline(self.checkout))[self._known :]

    def called(self, verb: str) -> bool:
        """Whether the gateway was asked for this."""
        return self._stage.puppet.calls[self._id, verb] > self._calls.get((self._id, verb), 0)

    async def until(self, *states: str) -> CheckoutStatus:
        """Once it is there."""
        return await self._stage.shop.until(self.checkout, *states)

    async def stays(self) -> list[TimelineRow]:
        """It is where it was; the new rows."""
        await asyncio.sleep(SETTLED)
        rows = await self.rows()
        assert {row.state for row in rows} <= {self.state}, rows
        return rows


Check = Callable[[Effect], Awaitable[None]]


async def silent(effect: Effect) -> None:
    """Nothing was written."""
    assert await effect.stays() == []


async def stepped(effect: Effect) -> None:
    """One row tells the decline or the next step."""
    await eventually(effect.rows, bool)
    assert [row.key for row in await effect.stays()] in (["declined"], ["next_action"])


async def taken(effect: Effect) -> None:
    """The gateway was asked to hold what the customer had approved."""
    await effect.until("authorized")
    assert effect.called("authorize")


async def held(effect: Effect) -> None:
    """It is authorized, and nobody asked for that."""
    await effect.until("authorized")
    assert not effect.called("authorize")


async def noted(effect: Effect) -> None:
    """Just what was missing is on the books."""
    if effect.missing:
        await eventually(effect.rows, bool)
    assert bool(await effect.stays()) is effect.missing


async def looked(effect: Effect) -> None:
    """It asked the gateway itself."""
    await eventually(lambda: asyncio.sleep(0, effect.called("lookup")), bool)


def reached(state: str) -> Check:
    """It has been there, with as much captured as was shown; where nothing more is awaited, it goes on at once."""

    async def check(effect: Effect) -> None:
        await eventually(effect.rows, lambda rows: state in {row.state for row in rows})
        assert (await effect.until(state, "completed")).captured_minor == effect.shown.captured.minor

    return check


def failed_by(code: str, *states: str) -> Check:
    """It ended, or stopped, and this is why."""

    async def check(effect: Effect) -> None:
        failure = (await effect.until(*states)).failure
        assert failure is not None
        assert failure.code == code

    return check


async def given_back(effect: Effect) -> None:
    """Released or refunded, or a person is asked since the refund of it came to nothing."""
    await eventually(effect.rows, bool)
    status = await effect.until("refunded", "needs_review", effect.state)
    asked = status.failure is not None and status.failure.code.startswith("refund_")
    returned = status.refunded_minor == effect.shown.captured.minor
    assert asked or returned or await eventually(lambda: asyncio.sleep(0, effect.called("void")), bool)


CHECKS: dict[Reaction, Check] = {
    R.NONE: silent,
    R.KEEP: silent,
    R.SHOW_STEP: stepped,
    R.TAKE: taken,
    R.HOLD: held,
    R.PART: reached("partially_captured"),
    R.PAY: reached("paid"),
    R.BOOK: noted,
    R.CLOSE: reached("completed"),
    R.DOUBT: failed_by("contradiction", "needs_review"),
    R.NO_SALE: failed_by("canceled_at_gateway", "canceled", "refunded"),
    R.NO_SALE_LOST: failed_by("capture_lost", "declined"),
    R.CASE: failed_by("capture_lost", "needs_review"),
    R.LOOK: looked,
    R.GIVE_BACK: given_back,
}
"""What each reaction has to lead to; a pair that is never seen has no effect to look at."""


async def reach(stage: Stage, state: CheckoutState, sight: Sight) -> Checkout:
    """A checkout in this state, with books on which the sight is possible."""
    checkout = await STAGES[state](stage)
    if state is S.PARTIALLY_CAPTURED and sight is G.CANCELED:
        # Nothing taken and nothing held: the part was lost first.
        lost = sight_of(G.LOST_HELD, state, stage.payment(checkout), await stage.books(checkout))
        await tell(stage, checkout, lost)
        await eventually(lambda: stage.shop.status(checkout), lambda status: not status.captured_minor)
    return checkout


UNREACHED = {(state, G.CANCELED) for state in (S.COMPLETED, S.REFUNDING, S.REFUNDED, S.WRITTEN_OFF, S.NEEDS_REVIEW)}
"""Seen only when a case about lost money was closed before: as long as money is on the books, it is a loss."""


async def one(stage: Stage, state: CheckoutState, sight: Sight) -> None:
    """Show it, and look at what comes of it."""
    checkout = await reach(stage, state, sight)
    if state in ENDED:
        await stage.shop.handle(checkout).result()
    payment = stage.puppet.payments.get(f"pay_{checkout.id}")
    assert payment is not None
    on_books = await stage.books(checkout)
    shown = sight_of(sight, state, payment, on_books)
    expected, seen = reaction(state, sight), seen_as(on_books, shown)
    if expected is R.NEVER or (state, sight) in UNREACHED:
        assert seen is not sight
        return
    assert seen is sight
    effect = Effect(stage, checkout, shown)
    await effect.begin()
    assert effect.state is state
    await tell(stage, checkout, shown)
    await CHECKS[expected](effect)


@pytest.mark.parametrize("state", S)
async def test_what_is_seen_has_the_effect_that_the_table_says(stage: Stage, state: CheckoutState) -> None:
    """Through the workflows, the dispatcher and the late path: each of the eleven sights, on a checkout of its own."""
    seen = await asyncio.gather(*(one(stage, state, sight) for sight in G), return_exceptions=True)
    failed = {sight: error for sight, error in zip(G, seen, strict=True) if error is not None}
    assert not failed
