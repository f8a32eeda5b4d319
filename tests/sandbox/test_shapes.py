"""Objects have exactly the keys of Stripe's own published fixtures, with values of the same kinds."""

import json
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import CreateIntent

FIXTURES = Path(__file__).parents[2].parent / "shared" / "specs" / "stripe-fixtures3.json"

pytestmark = pytest.mark.skipif(not FIXTURES.exists(), reason="Stripe's published fixtures are not on this machine")

# What is below these depends on the payment or is another object, so only the kind of value is compared.
POLYMORPHIC = {
    "automatic_payment_methods",
    "fraud_details",
    "last_payment_error",
    "metadata",
    "next_action",
    "object",
    "payment_method_options",
    "destination_details.card",
}


@pytest.fixture(scope="module")
def fixtures() -> dict[str, Any]:
    """Stripe's example of every resource."""
    resources: dict[str, Any] = json.loads(FIXTURES.read_text())["resources"]
    return resources


def _differences(ours: Any, theirs: Any, path: str) -> list[str]:
    """Where our value does not look like Stripe's; null fits everything, because most fields may be null."""
    if ours is None or theirs is None:
        return []
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if path.split(".")[-1] in POLYMORPHIC or path.split(".", 1)[-1] in POLYMORPHIC or not theirs:
            return []
        keys = [f"{path}.{key} is {'extra' if key in ours else 'missing'}" for key in ours.keys() ^ theirs.keys()]
        shared = ours.keys() & theirs.keys()
        return keys + [found for key in shared for found in _differences(ours[key], theirs[key], f"{path}.{key}")]
    if isinstance(theirs, list) and isinstance(ours, list):
        return _differences(ours[0], theirs[0], f"{path}[]") if ours and theirs else []
    return [] if type(ours) is type(theirs) else [f"{path} is {type(ours).__name__}, not {type(theirs).__name__}"]


async def test_payment_and_charge(sdk: stripe.StripeClient, create: CreateIntent, fixtures: dict[str, Any]) -> None:
    """A payment in every state, and its charge, look like Stripe's."""
    paid = await create(confirm=True, payment_method="pm_card_visa")
    states = [
        await create(),
        paid,
        await create(confirm=True, payment_method="pm_card_threeDSecure2Required"),
        await create(confirm=True, payment_method="pm_usBankAccount_success"),
        await sdk.v1.payment_intents.cancel_async((await create()).id),
    ]
    for intent in states:
        assert _differences(intent.to_dict(), fixtures["payment_intent"], "payment_intent") == []
    charge = await sdk.v1.charges.retrieve_async(str(paid.latest_charge), {"expand": ["refunds"]})
    assert _differences(charge.to_dict(), fixtures["charge"], "charge") == []


async def test_refund_event_method_endpoint_balance(
    sdk: stripe.StripeClient, create: CreateIntent, fixtures: dict[str, Any]
) -> None:
    """The other objects look like Stripe's, too."""
    paid = await create(confirm=True, payment_method="pm_card_visa")
    refund = await sdk.v1.refunds.create_async({"payment_intent": paid.id})
    event = (await sdk.v1.events.list_async({"limit": 1})).data[0]
    params: Any = {"url": "http://127.0.0.1:9/never", "enabled_events": ["charge.expired"]}
    created = await sdk.v1.webhook_endpoints.create_async(params)
    endpoint = await sdk.v1.webhook_endpoints.retrieve_async(created.id)
    await sdk.v1.webhook_endpoints.delete_async(created.id)
    method = await sdk.v1.payment_methods.retrieve_async(str(paid.payment_method))
    balance = await sdk.v1.balance.retrieve_async()
    transactions = await sdk.v1.balance_transactions.list_async({"limit": 1})
    for found in (refund, event, endpoint, method, balance, transactions.data[0]):
        kind = found.to_dict()["object"]
        assert _differences(found.to_dict(), fixtures[kind], kind) == []


async def test_disputes(sdk: stripe.StripeClient, create: CreateIntent, fixtures: dict[str, Any]) -> None:
    """Disputes and what they move look like Stripe's, before and after an answer."""
    for card in ("pm_card_createDispute", "pm_card_createDisputeInquiry"):
        paid = await create(confirm=True, payment_method=card)
        (found,) = (await sdk.v1.disputes.list_async({"payment_intent": paid.id})).data
        answered = await sdk.v1.disputes.update_async(found.id, {"evidence": {"uncategorized_text": "It was sent."}})
        for dispute in (found, answered):
            assert _differences(dispute.to_dict(), fixtures["dispute"], "dispute") == []
        for row in answered.balance_transactions:
            assert _differences(row.to_dict(), fixtures["balance_transaction"], "balance_transaction") == []


def test_comparison_finds_differences() -> None:
    """The comparison itself sees a missing key, an extra one and another kind of value."""
    theirs = {"a": 1, "b": {"c": "x"}, "d": [{"e": True}]}
    assert _differences({"a": None, "b": {"c": "y"}, "d": []}, theirs, "x") == []
    wrong = {"a": "1", "b": {"z": 1}, "d": [{"e": 1}]}
    assert sorted(_differences(wrong, theirs, "x")) == [
        "x.a is str, not int",
        "x.b.c is missing",
        "x.b.z is extra",
        "x.d[].e is int, not bool",
    ]
