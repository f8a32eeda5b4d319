"""What every gateway does the same: credentials stay inside the adapter."""

import asyncio
import logging
import re
import traceback
from collections.abc import Awaitable, Callable

import pytest

from devstack.ports import any_free
from domain.checkout import CaptureMode
from domain.errors import GatewayError, WebhookNotAuthenticError
from gateways.contract import Gateway
from tests.gateways.checkouts import (
    authorize_request,
    capture_request,
    create_request,
    new_reference,
    paid,
    refund_request,
    void_request,
)
from tests.gateways.inbox import Delivery
from tests.gateways.outside import Outside
from tests.gateways.test_conformance_webhooks import read, told_of

AUTHORIZATION = re.compile(r"(?i:\b(?:basic|bearer)\b[ '\",:]+)(?=\S*[A-Z0-9=])[A-Za-z0-9+/=._-]{12,}")
"""Credentials as they go over the wire: encoded, or exchanged for a token."""
KINDS = [
    *("timeout_before", "reset_before", "error_500_before", "unavailable_503", "html_502", "rate_limit_429"),
    *("timeout_after", "reset_after", "error_500_after", "slow_drip", "amount_off_by_one"),
]


async def test_nothing_says_a_secret(
    adapter: Gateway, hasty: Gateway, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    """Over every fault, a dead address and refused deliveries: no log of anybody's, no error and no repr has one."""
    told: list[str] = []
    with caplog.at_level(logging.DEBUG):
        each = await asyncio.gather(*(_over_a_payment(adapter, hasty, outside, kind) for kind in KINDS))
        told += [text for texts in each for text in texts]
        told += await _nobody_there(outside)
        told += await _refused_deliveries(adapter, outside)
        told += [repr(adapter), str(adapter.__dict__), repr(adapter.capabilities)]
    logged = [logging.Formatter("%(name)s %(message)s").format(record) for record in caplog.records]
    assert len(told) > 3 * len(KINDS)
    assert len(logged) > len(KINDS)
    assert outside.secrets
    for secret in outside.secrets:
        assert len(secret) >= 8
        assert not [text for text in (*told, *logged) if secret in text]
    assert not [text for text in (*told, *logged) if AUTHORIZATION.search(text)]


def test_credentials_are_recognised() -> None:
    """The search above finds what it is for, and no sentence about it."""
    assert AUTHORIZATION.search("{'Authorization': 'Basic dXNlcjpwYXNzd29yZA=='}")
    assert AUTHORIZATION.search("authorization: bearer A21AAFEpH4PsADK7qSS7pSRsgz")
    assert not AUTHORIZATION.search("the bearer token was refused; basic authentication failed")


async def _over_a_payment(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> list[str]:
    held = await paid(adapter, outside, hold=CaptureMode.ON_CONFIRM in adapter.capabilities.capture_modes)
    request = create_request(new_reference())
    steps: list[tuple[str, str, Callable[[], Awaitable[object]]]] = [
        ("create", request.reference, lambda: hasty.create(request)),
        ("lookup", held.reference or "", lambda: hasty.lookup(held.payment_id)),
        ("refund", held.reference or "", lambda: hasty.refund(refund_request(held))),
        ("void", held.reference or "", lambda: hasty.void(void_request(held))),
    ]
    if CaptureMode.ON_CONFIRM in adapter.capabilities.capture_modes:
        steps.insert(2, ("capture", held.reference or "", lambda: hasty.capture(capture_request(held))))
    told = []
    for verb, reference, call in steps:
        await outside.fault(verb, kind, reference)
        told.append(await _text_of(call))
    return told


async def _nobody_there(outside: Outside) -> list[str]:
    lost = outside.gateway(base=f"http://127.0.0.1:{any_free()}")
    try:
        return [await _text_of(lambda: lost.create(create_request(new_reference())))]
    finally:
        await lost.close()


async def _refused_deliveries(adapter: Gateway, outside: Outside) -> list[str]:
    payment = await paid(adapter, outside)
    delivery = (await told_of(outside, payment))[0].delivery
    stranger = outside.gateway(secrets=(outside.stranger,))
    calls = (
        lambda: read(stranger, delivery),
        lambda: read(adapter, outside.unsigned(delivery)),
        lambda: read(adapter, Delivery(delivery.headers, b"{}")),
        lambda: adapter.authorize(authorize_request(payment)),
    )
    return [await _text_of(call) for call in calls]


async def _text_of(call: Callable[[], Awaitable[object]]) -> str:
    """Everything that a call shows: its answer, or its error with all that hangs on it, as a log would print it."""
    try:
        return repr(await call())
    except (GatewayError, WebhookNotAuthenticError) as raised:
        stack = "".join(traceback.format_exception(raised))
        return f"{raised!r} {raised} {raised.args} {vars(raised)} {raised.__cause__!r} {stack}"
