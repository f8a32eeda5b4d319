"""The page where a payer approves."""

import pytest

from tests.sandbox.paypal.support import CANCEL, RETURN, Shop, money

ORDERS = "/v2/checkout/orders"


async def test_page_shows_the_amount(shop: Shop) -> None:
    """A person sees what is paid and how, from the link in the order."""
    made = await shop.open(value="1234", currency="JPY")
    (link,) = [each["href"] for each in (await shop.read(f"{ORDERS}/{made}"))["links"] if each["rel"] == "payer-action"]
    page = await shop.client.get(link)
    assert page.status_code == 200
    assert "Pay 1234 JPY with PayPal" in page.text
    assert "name='funding'" in page.text


async def test_approval_leads_back_to_the_shop(shop: Shop) -> None:
    """The payer returns with the order and the payer's id; walking away leads to the other address."""
    order = await shop.open()
    left = await shop.pay_page(order, "cancel")
    assert (left.status_code, left.headers["location"]) == (303, f"{CANCEL}?token={order}")
    assert (await shop.read(f"{ORDERS}/{order}"))["status"] == "PAYER_ACTION_REQUIRED"
    back = await shop.pay_page(order)
    payer = (await shop.read(f"{ORDERS}/{order}"))["payer"]["payer_id"]
    assert (back.status_code, back.headers["location"]) == (303, f"{RETURN}&token={order}&PayerID={payer}")


async def test_declining_changes_nothing(shop: Shop) -> None:
    """A payer who declines leaves the order as it was, and may still approve."""
    order = await shop.open()
    assert (await shop.pay_page(order, "decline")).status_code == 200
    assert (await shop.read(f"{ORDERS}/{order}"))["status"] == "PAYER_ACTION_REQUIRED"
    assert (await shop.pay_page(order)).status_code == 303


async def test_a_paid_order_cannot_be_approved_again(shop: Shop) -> None:
    """After the capture the page only tells how it went."""
    order, _ = await shop.captured()
    assert (await shop.pay_page(order)).status_code == 409
    assert await shop.moved(order) == [("charge", 4200)]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x"])
async def test_addresses_that_run_scripts_are_not_followed(shop: Shop, url: str) -> None:
    """A return address that is no web page is neither followed nor linked."""
    unit = {"custom_id": shop.checkout, "amount": money("1.00")}
    body = {"intent": "CAPTURE", "purchase_units": [unit], "application_context": {"return_url": url}}
    order = (await shop.post(ORDERS, body)).json()["id"]
    answer = await shop.pay_page(order)
    assert answer.status_code == 200
    assert url not in answer.text


@pytest.mark.parametrize("form", [{"outcome": "maybe"}, {"outcome": "approve", "funding": "gold"}, {}])
async def test_impossible_choices(shop: Shop, form: dict[str, str]) -> None:
    """Only the outcomes and means that exist can be chosen."""
    order = await shop.open()
    async with shop.sandbox.browser() as browser:
        assert (await browser.post(f"/paypal/approve/{order}", data=form)).status_code == 400
        assert (await browser.get("/paypal/approve/NONE")).status_code == 404


async def test_index_lists_orders(shop: Shop) -> None:
    """The sandbox's index links the newest orders."""
    order = await shop.open()
    async with shop.sandbox.browser() as browser:
        assert f'href="/paypal/approve/{order}"' in (await browser.get("/")).text
