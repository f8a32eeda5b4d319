"""Sixty days of checkouts, refunds and disputes, told side by side on one clock, then judged one by one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest

from devstack.errors import StackError
from devstack.longclock import time_skipping_server
from domain.checkout import HoldPolicy
from ledger.disputes import Disputes
from ledger.verify import verify
from tests.conftest import new_database
from tests.workflows import sixty_days_stories as story
from tests.workflows.after_sale import balanced, events
from tests.workflows.agreement import agree, at_gateways, on_books
from tests.workflows.casebook import all_cases
from tests.workflows.sixty_days import DAY, LAST_DAY, LongShop, history_length, long_shop, looks_of, workflows_of
from workflows.options import DECISION_MARGIN, DECISION_SPREAD

pytestmark = pytest.mark.timeout(1200)
GATEWAYS = ("stripe", "paypal", "adyen")
IN_PARTS = ("stripe", "paypal")
UNSEEN = "unheard adyen"
"""A hold that came and went unheard: the gateway's books have two rows of it that amount to nothing, ours none."""
MOST_EVENTS = 5_000
SECOND = timedelta(seconds=1)
_TRIES = 3
"""The server loses a task now and then, and stands still from then on (see `LongClock.pass_time`)."""

logger = logging.getLogger(__name__)

Told = dict[str, asyncio.Task[Any]]


def stories(shop: LongShop) -> dict[str, Coroutine[Any, Any, Any]]:
    """All that happens, by the names under which the tests ask for it."""
    return {
        **{f"hold {g} {p}": story.hold(shop, g, p) for g in GATEWAYS for p in HoldPolicy},
        **{f"part {g} {p}": story.hold(shop, g, p, part=1000) for g in IN_PARTS for p in HoldPolicy},
        **{f"dispute {g} {a}": story.disputed(shop, g, a) for g in GATEWAYS for a in (False, True)},
        **{f"failing refund {g}": story.failing_refund(shop, g) for g in GATEWAYS},
        **{f"no key {g}": story.capture_without_a_key(shop, g) for g in GATEWAYS},
        **{f"ten hours {g}": story.unknown_capture(shop, g, 10, carried_out=False) for g in ("stripe", "adyen")},
        "done ten hours stripe": story.unknown_capture(shop, "stripe", 10, carried_out=True),
        "done ten hours paypal": story.unknown_capture(shop, "paypal", 10, carried_out=True),
        "done thirty hours stripe": story.unknown_capture(shop, "stripe", 30, carried_out=True),
        **{f"unheard {g}": story.unheard_sale(shop, g, days) for g, days in story.UNHEARD_FOR.items()},
        "unheard hold": story.unheard_sale(shop, "adyen", 20),
        "unheard late money": story.unheard_late_money(shop),
        **{f"late {g}": story.late_money(shop, g) for g in ("stripe", "adyen")},
        "sold split": story.sold_split(shop),
        "half paid split": story.half_paid_split(shop),
        **{f"untold refund {g}": story.untold_refund(shop, g) for g in IN_PARTS},
    }


@pytest.fixture(scope="module")
async def lived(
    tmp_path_factory: pytest.TempPathFactory, server_url: str, template_database: str
) -> AsyncIterator[tuple[LongShop, Told]]:
    """A shop on a server whose clock runs ahead, and all its stories at their end; anew where the clock stood still."""
    async with AsyncExitStack() as stack:
        for left in reversed(range(_TRIES)):
            url = await stack.enter_async_context(new_database(server_url, template_database))
            skipping = await stack.enter_async_context(time_skipping_server())
            shop = await stack.enter_async_context(long_shop(tmp_path_factory.mktemp("sixty"), url, skipping))
            try:
                told = await shop.days.tell(stories(shop))
                break
            except StackError:
                if not left:
                    raise
        yield shop, told


@pytest.fixture(scope="module")
def long_lived(lived: tuple[LongShop, Told]) -> LongShop:
    """The shop that all stories share."""
    return lived[0]


@pytest.fixture(scope="module")
def told(lived: tuple[LongShop, Told]) -> Told:
    """Every story, at its end."""
    return lived[1]


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize("policy", HoldPolicy)
async def test_a_hold_ends_by_its_policy(long_lived: LongShop, told: Told, gateway: str, policy: HoldPolicy) -> None:
    """Before it lapses it is taken or let go by us, never by the gateway; where it can be it was held anew before."""
    checkout = await told[f"hold {gateway} {policy}"]
    status = await agree(long_lived, checkout)
    assert status.state == ("completed" if policy is HoldPolicy.CAPTURE else "canceled")
    rows = await long_lived.gateway_rows(checkout)
    assert [row["operation"] for row in rows][-1] == ("capture" if policy is HoldPolicy.CAPTURE else "release")
    assert rows[-1]["idempotency_key"] is not None
    lived = rows[-1]["at"] - rows[0]["at"]
    assert lived / 86_400 == pytest.approx(28.95 if gateway == "paypal" else 6.95, abs=0.05)
    renewed = [row for row in await long_lived.timeline(checkout) if row.key == "reauthorized"]
    assert len(renewed) == (policy is HoldPolicy.REAUTHORIZE and gateway == "paypal")


@pytest.mark.parametrize("gateway", IN_PARTS)
@pytest.mark.parametrize("policy", HoldPolicy)
async def test_what_was_taken_stays_sold(long_lived: LongShop, told: Told, gateway: str, policy: HoldPolicy) -> None:
    """The rest of a hold is taken, or let go, in time; the sale is over what was taken."""
    checkout = await told[f"part {gateway} {policy}"]
    parts = (1000, 3200) if policy is HoldPolicy.CAPTURE else (1000,)
    status = await agree(long_lived, checkout, parts)
    assert (status.state, status.captured_minor) == ("completed", sum(parts))


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_dispute_that_nobody_answers_is_lost(long_lived: LongShop, told: Told, gateway: str) -> None:
    """Three reminders, a case with the last; after the deadline the money is gone, on the books too."""
    checkout = await told[f"dispute {gateway} False"]
    (dispute,) = await Disputes(long_lived.parts.engine).of_checkout(checkout.id)
    assert dispute.snapshot.state == "lost"
    rows = await long_lived.timeline(checkout)
    reminders = [row for row in rows if ":reminder:" in row.key]
    assert [row.details["days"] for row in reminders] == [7, 3, 1]
    due = [datetime.fromisoformat(str(row.details["respond_by"])) for row in reminders]
    assert [round((by - row.at) / DAY, 1) for by, row in zip(due, reminders, strict=True)] == [7, 3, 1]
    (case,) = await all_cases(long_lived, checkout)
    assert (case.kind, case.closed_how) == ("dispute_unanswered", "decided")
    assert (await events(long_lived, checkout)).count("dispute.lost") == 1
    assert [kind for _, kind, _ in await at_gateways(long_lived, checkout)].count("reinstate") == 0
    await balanced(long_lived, checkout)


async def test_disputes_of_one_deadline_are_looked_at_one_after_the_other(long_lived: LongShop, told: Told) -> None:
    """Each within half an hour of an hour after it, and nowhere near the others."""
    margins = []
    for gateway in GATEWAYS:
        checkout = await told[f"dispute {gateway} False"]
        (dispute,) = await Disputes(long_lived.parts.engine).of_checkout(checkout.id)
        (last,) = (
            row for row in await long_lived.timeline(checkout) if ":reminder:" in row.key and row.details["days"] == 1
        )
        respond_by = datetime.fromisoformat(str(last.details["respond_by"]))
        looks = await looks_of(long_lived, dispute.workflow_id)
        margins.append(next(at - respond_by for at in looks if at > respond_by))
    assert all(DECISION_MARGIN - SECOND < margin < DECISION_MARGIN + DECISION_SPREAD + SECOND for margin in margins)
    assert max(margins) - min(margins) > SECOND


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_dispute_that_is_won_brings_the_money_back(long_lived: LongShop, told: Told, gateway: str) -> None:
    """Told by the gateway two months after the sale, whose workflow ended long ago."""
    checkout = await told[f"dispute {gateway} True"]
    (dispute,) = await Disputes(long_lived.parts.engine).of_checkout(checkout.id)
    assert dispute.snapshot.state == "won"
    moved = await at_gateways(long_lived, checkout)
    assert (moved[(gateway, "withdraw", 4200)], moved[(gateway, "reinstate", 4200)]) == (1, 1)
    assert (await events(long_lived, checkout))[-2:] == ["dispute.opened", "dispute.won"]
    assert not [case for case in await all_cases(long_lived, checkout) if case.closed_at is None]
    await balanced(long_lived, checkout)


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_refund_that_fails_on_day_nine_is_undone(long_lived: LongShop, told: Told, gateway: str) -> None:
    """Its money is the shop's again, its reservation gone, and a person has told the customer."""
    checkout, refund, case = await told[f"failing refund {gateway}"]
    record = await balanced(long_lived, checkout)
    assert (record.status.state, record.status.refunded_minor) == ("completed", 0)
    assert refund.failure is not None
    failed = next(row for row in await long_lived.timeline(checkout) if row.key.endswith(":failed"))
    assert (failed.at - long_lived.days.begun) / DAY == pytest.approx(9, abs=0.5)
    (closed,) = await all_cases(long_lived, checkout)
    assert (closed.id, closed.subject) == (case.id, refund.refund.id)
    assert closed.closed_at is not None


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_key_that_was_forgotten_is_not_used_again(long_lived: LongShop, told: Told, gateway: str) -> None:
    """Once its life is over the gateway is only looked at; a person's word makes a new key, which captures once."""
    checkout, asked_since = await told[f"no key {gateway}"]
    assert asked_since == 0
    assert (await agree(long_lived, checkout)).state == "completed"
    (row,) = [row for row in await long_lived.gateway_rows(checkout) if row["operation"] == "capture"]
    assert row["idempotency_key"] == f"{checkout.id}:capture:2"
    kinds = [case.kind for case in await all_cases(long_lived, checkout)]
    assert sorted(kinds) == ["key_expired", "unknown_outcome"]


@pytest.mark.parametrize(
    "name",
    [
        "ten hours stripe",
        "ten hours adyen",
        "done ten hours stripe",
        "done ten hours paypal",
        "done thirty hours stripe",
    ],
)
async def test_an_unknown_capture_is_cleared_up(long_lived: LongShop, told: Told, name: str) -> None:
    """Shown with its age, told to a person, and settled by itself, once, when the gateway speaks again.

    Also where the key has been forgotten meanwhile: the look shows what it did.
    """
    checkout, waiting_for = await told[name]
    assert "unknown since 20" in waiting_for
    assert (await agree(long_lived, checkout)).state == "completed"
    (case,) = await all_cases(long_lived, checkout)
    assert case.kind == "unknown_outcome"
    assert case.closed_at is not None
    (row,) = [row for row in await long_lived.gateway_rows(checkout) if row["operation"] == "capture"]
    assert row["idempotency_key"] == f"{checkout.id}:capture:1"


@pytest.mark.parametrize("gateway", ["stripe", "paypal"])
async def test_the_last_try_of_a_webhook_changes_nothing(long_lived: LongShop, told: Told, gateway: str) -> None:
    """The sale was found by asking, days before: the event is heard and has nothing to add."""
    checkout = await told[f"unheard {gateway}"]
    status = await agree(long_lived, checkout)
    assert status.state == "completed"
    assert [row.key for row in await long_lived.timeline(checkout)][-2:] == ["paid", "completed"]
    await heard_late(long_lived, status.payment_id, gateway)


async def test_a_hold_of_which_nobody_heard_for_weeks_is_taken(long_lived: LongShop, told: Told) -> None:
    """Adyen can be asked for nothing but that somebody paid: nothing is given up until its notification is heard."""
    checkout = await told["unheard hold"]
    assert (await agree(long_lived, checkout)).state == "completed"
    assert "silent" in await long_lived.causes(checkout)


async def test_the_last_try_tells_of_a_hold_that_has_lapsed(long_lived: LongShop, told: Told) -> None:
    """Held and let go by the gateway before anybody here heard of it: nothing was ever ours, and the saga ends."""
    checkout = await told[UNSEEN]
    assert (await long_lived.status(checkout)).state == "expired"
    assert await long_lived.moved(checkout) == {"authorization": [4200], "release": [4200]}
    assert await on_books(long_lived, checkout) == {}
    await heard_late(long_lived, (await long_lived.status(checkout)).payment_id, "adyen")


async def heard_late(shop: LongShop, payment_id: str | None, gateway: str) -> None:
    """Assert that every webhook of the payment arrived in the end, one of them after all the time of its story."""
    tries = await attempts(shop, payment_id, gateway)
    assert all(states == {"delivered"} for _, states in tries)
    assert timedelta(seconds=max(at[-1] - at[0] for at, _ in tries)) > story.UNHEARD_FOR[gateway] * DAY


async def attempts(shop: LongShop, payment_id: str | None, gateway: str) -> list[tuple[list[float], set[str]]]:
    """When each webhook of a payment was tried, and what became of it."""
    rows = (await shop.sandbox.get("/sandbox/deliveries", params={"gateway": gateway})).json()["data"]
    return [([try_["at"] for try_ in row["attempts"]], {row["state"]}) for row in rows if row["payment"] == payment_id]


async def test_late_money_that_only_the_last_try_tells_of_goes_back(long_lived: LongShop, told: Told) -> None:
    """Three days after it came it is given back, once."""
    checkout = await told["unheard late money"]
    status = await agree(long_lived, checkout)
    assert (status.state, status.refunded_minor) == ("refunded", 4200)


@pytest.mark.parametrize("gateway", ["stripe", "adyen"])
async def test_money_on_day_fifty_goes_back(long_lived: LongShop, told: Told, gateway: str) -> None:
    """Seven weeks after the checkout expired, once; what was only held is released."""
    checkout = await told[f"late {gateway}"]
    status = await agree(long_lived, checkout)
    moved = await long_lived.moved(checkout)
    if gateway == "stripe":
        assert (status.state, moved) == ("refunded", {"charge": [4200], "refund": [4200]})
    else:
        assert (status.state, moved) == ("expired", {"authorization": [4200], "release": [4200]})


async def test_a_split_lives_on_by_its_tenders(long_lived: LongShop, told: Told) -> None:
    """Sold as a whole; a refund of one tender and a lost dispute of the other leave the sale a sale."""
    split = await told["sold split"]
    first, second = [(await balanced(long_lived, leg)).status for leg in split.legs]
    assert (await long_lived.status(split.whole)).state == first.state == second.state == "completed"
    assert (first.captured_minor, first.refunded_minor) == (3000, 1000)
    (dispute,) = await Disputes(long_lived.parts.engine).of_checkout(split.legs[1].id)
    assert dispute.snapshot.state == "lost"


async def test_a_split_of_which_one_tender_is_never_paid_ends(long_lived: LongShop, told: Told) -> None:
    """The tender that was held is let go."""
    split = await told["half paid split"]
    assert (await long_lived.status(split.whole)).state == "expired"
    assert await long_lived.moved(split.legs[0]) == {"authorization": [3000], "release": [3000]}


@pytest.mark.parametrize("gateway", IN_PARTS)
async def test_a_refund_that_no_webhook_told_is_found(long_lived: LongShop, told: Told, gateway: str) -> None:
    """It is in the gateway's own list, which is read by the same clock."""
    checkout = await told[f"untold refund {gateway}"]
    assert (await balanced(long_lived, checkout)).status.refunded_minor == 700


async def test_in_the_end_all_books_agree(long_lived: LongShop, told: Told) -> None:
    """Every checkout's, row by row with the gateways' own; nothing was taken twice."""
    broken = sorted(name for name, story in told.items() if story.exception())
    assert not broken, f"these broke off, each in a test of its own, and leave checkouts in the middle: {broken}"
    unseen = (await told[UNSEEN]).id
    for id_ in (id_ for id_ in long_lived.checkouts if id_ != unseen):
        record = await long_lived.books.get(id_)
        assert record is not None
        await balanced(long_lived, record.checkout)
        moved = await long_lived.moved(record.checkout)
        taken = sum(moved.get("charge", [])) + sum(moved.get("capture", []))
        assert taken <= record.checkout.amount.minor, (id_, moved)
    verified = await verify(long_lived.parts.engine)
    assert verified.breach is None
    assert verified.checkouts >= len(long_lived.checkouts)
    assert (long_lived.days.now() - long_lived.days.begun) / DAY >= LAST_DAY


async def test_no_history_grows_long(long_lived: LongShop, told: Told) -> None:
    """Weeks of waiting cost a workflow some hundred events, far below the server's limit."""
    lengths = {id_: await history_length(long_lived, id_) for id_ in await workflows_of(long_lived)}
    for id_, length in sorted(lengths.items(), key=lambda item: -item[1])[:8]:
        logger.info("%6d events: %s", length, id_)
    assert max(lengths.values()) < MOST_EVENTS
