"""A customer of Stripe's real test environment: what a browser would do there, done by Stripe's API."""

import os
from itertools import pairwise
from typing import Any

import httpx

from domain.payment import PaymentSnapshot
from gateways.stripe.settings import STRIPE_URL
from tests.gateways.stripe.means import MEANS


async def confirm(client: httpx.AsyncClient, payment: PaymentSnapshot, means: str) -> None:
    """Confirm the payment with a test card; a decline is Stripe's 402."""
    card = MEANS[means][1]
    form = {"payment_method": card, "return_url": "https://shop.example/thanks"}
    said = await client.post(_url(f"payment_intents/{payment.payment_id}/confirm"), data=form, auth=_auth())
    assert said.status_code in (200, 402), said.text


async def movements(client: httpx.AsyncClient, payment_id: str) -> list[tuple[str, int]]:
    """Stripe's charges and refunds of the payment in the words of the sandbox's books, read past the adapter."""
    charges = [charge for charge in await _list(client, "charges", payment_id) if charge["status"] == "succeeded"]
    rows = [row for charge in charges for row in await _rows(client, payment_id, charge)]
    return rows + [("refund", refund["amount"]) for refund in await _list(client, "refunds", payment_id)]


async def _rows(client: httpx.AsyncClient, payment_id: str, charge: dict[str, Any]) -> list[tuple[str, int]]:
    amount, captured = int(charge["amount"]), int(charge["amount_captured"])
    if charge["payment_method_details"]["card"].get("capture_before") is None:
        return [("charge", captured)]
    said = await client.get(_url(f"payment_intents/{payment_id}"), auth=_auth())
    ended = said.raise_for_status().json()["status"] in ("canceled", "succeeded")
    release = [("release", amount - captured)] if ended and captured < amount else []
    return [("authorization", amount), *await _captures(client, payment_id), *release]


async def _captures(client: httpx.AsyncClient, payment_id: str) -> list[tuple[str, int]]:
    """The parts in which a hold was taken: the charge knows their sum, only the events know each step."""
    types = ["payment_intent.amount_capturable_updated", "payment_intent.succeeded"]
    said = await client.get(_url("events"), params={"types[]": types, "limit": 100}, auth=_auth())
    told = [event["data"]["object"] for event in said.raise_for_status().json()["data"]]
    sums = sorted({0, *(int(each["amount_received"]) for each in told if each["id"] == payment_id)})
    return [("capture", after - before) for before, after in pairwise(sums)]


async def _list(client: httpx.AsyncClient, kind: str, payment_id: str) -> list[dict[str, Any]]:
    said = await client.get(_url(kind), params={"payment_intent": payment_id, "limit": 100}, auth=_auth())
    found: list[dict[str, Any]] = said.raise_for_status().json()["data"]
    return found[::-1]


def _url(path: str) -> str:
    return f"{os.environ.get('STRIPE_API_BASE', STRIPE_URL)}/v1/{path}"


def _auth() -> tuple[str, str]:
    return (os.environ["STRIPE_API_KEY"], "")
