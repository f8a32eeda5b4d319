"""A reset after captures in part: told anew, the story goes on from what is on the books."""

from typing import Any

import pytest

from domain.checkout import Checkout
from tests.workflows.agreement import agree
from tests.workflows.captures import IN_PARTS, capture, held
from tests.workflows.splits import reset
from tests.workflows.support import Shop, eventually


async def reset_in_parts(shop: Shop, checkout: Checkout) -> None:
    """Reset it and wait until its new run, too, stands where parts are taken."""
    before = (await shop.handle(checkout).describe()).run_id
    await reset(shop, checkout.workflow_id)

    async def stands() -> tuple[bool, Any]:
        described = await shop.handle(checkout).describe()
        return described.run_id != before, (await shop.handle(checkout).query("status"))["state"]

    await eventually(stands, lambda seen: seen == (True, "partially_captured"))


@pytest.mark.parametrize("gateway", IN_PARTS)
async def test_a_reset_forgets_no_part(shop: Shop, gateway: str) -> None:
    """Two parts are taken, then the workflow is reset: nobody is asked, and the shop goes on with the rest."""
    checkout = await held(shop, gateway)
    await capture(shop, checkout, 1000, final=False)
    await capture(shop, checkout, 700, final=False)
    for part in (500, 400):
        await reset_in_parts(shop, checkout)
        assert await capture(shop, checkout, part, final=False) == "partially_captured"
    assert await shop.sagas().confirm(checkout, 20)
    await shop.handle(checkout).result()
    assert "needs_review" not in await shop.path(checkout)
    await agree(shop, checkout, (1000, 700, 500, 400, 1600))


async def test_what_a_reset_forgot_is_given_back_once(shop: Shop) -> None:
    """Cancelled by an operator after the reset: the part is on the books once, and goes back once."""
    checkout = await held(shop)
    await capture(shop, checkout, 1000, final=False)
    await reset_in_parts(shop, checkout)
    await shop.handle(checkout).cancel()
    await shop.until(checkout, "refunded")
    assert (await agree(shop, checkout, (1000,))).captured_minor == 1000
