"""A customer's approval is acted on when it is new, and not over and over."""

from datetime import UTC, datetime, timedelta

from domain.saga import SagaPolicy
from gateways.contract import Verb
from ledger.operations import Operations
from tests.workflows.agreement import agree
from tests.workflows.support import Shop, eventually

EAGER = SagaPolicy(poll_after_seconds=0.3, poll_at_most_seconds=0.5, stuck_after_seconds=60)


async def test_an_approval_whose_money_cannot_be_had_is_not_tried_at_every_look(shop: Shop) -> None:
    """However often the saga looks meanwhile, it tries once when the gateway tells of it and once before the end."""
    soon = datetime.now(UTC) + timedelta(seconds=12)
    checkout = await shop.open(EAGER, gateway="paypal", expires_at=soon)
    await shop.pay_with(checkout, "declined_soft")
    await shop.until(checkout, "expired")
    asked = await Operations(shop.parts.engine).of_checkout(checkout.id)
    assert [operation.verb for operation in asked].count(Verb.CAPTURE) <= 2
    status = await shop.status(checkout)
    assert status.failure is not None
    assert (status.failure.code, status.captured_minor) == ("do_not_honor", 0), status
    assert await shop.moved(checkout) == {}
    await agree(shop, checkout)


async def test_a_second_approval_is_a_new_one(shop: Shop) -> None:
    """The customer comes back with another means, and the gateway tells of it: it is taken, once."""
    checkout = await shop.open(EAGER, gateway="paypal")
    await shop.pay_with(checkout, "declined_soft")
    await eventually(lambda: shop.status(checkout), lambda status: status.failure is not None)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "completed")
    assert await shop.moved(checkout) == {"charge": [4200]}
    await agree(shop, checkout)
