"""Calls as Adyen takes them, and answers that are read strictly."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from domain.errors import AmountDoesNotFitError, OutcomeUnknownError
from domain.money import Money
from gateways.adyen.adapter import AdyenGateway
from gateways.adyen.client import link_of
from gateways.adyen.translate import seen
from gateways.contract import CapturePayment, CreatePayment, RefundPayment
from tests.gateways.adyen.conftest import API_KEY
from tests.gateways.adyen.examples import CAPTURE, CREATE, PRICE, REFUND, VOID, KeptBodies, link, received
from tests.gateways.adyen.notices import ACCOUNT, CHECKOUT, LINK_ID, PAYMENT, body, done, item
from tests.gateways.scripted import ScriptedServer, answer

SPEC = Path(__file__).parents[3].parent / "shared" / "specs" / "adyen-CheckoutService-v72.json"
published = pytest.mark.skipif(not SPEC.exists(), reason="Adyen's published API description is not here")

Call = Callable[[AdyenGateway], Awaitable[object]]
MONEY = {"value": 4200, "currency": "USD"}
CALLS: dict[str, tuple[Call, list[bytes], str, bytes, str, dict[str, Any]]] = {
    "create": (
        lambda gateway: gateway.create(CREATE),
        [],
        "",
        answer(201, link()),
        "POST /v72/paymentLinks",
        {
            "merchantAccount": ACCOUNT,
            "reference": CHECKOUT,
            "amount": MONEY,
            "manualCapture": True,
            "reusable": False,
            "metadata": {"order_id": "order-1"},
            "returnUrl": "https://shop.test/",
        },
    ),
    "capture": (
        lambda gateway: gateway.capture(CAPTURE),
        [body(item())],
        "completed",
        received(CAPTURE.key),
        f"POST /v72/payments/{PAYMENT}/captures",
        {"merchantAccount": ACCOUNT, "reference": CAPTURE.key, "amount": MONEY},
    ),
    "cancel": (
        lambda gateway: gateway.void(VOID),
        [body(item())],
        "completed",
        received(VOID.key, None),
        f"POST /v72/payments/{PAYMENT}/cancels",
        {"merchantAccount": ACCOUNT, "reference": VOID.key},
    ),
    "refund": (
        lambda gateway: gateway.refund(REFUND),
        [body(item(), done("CAPTURE", "capture:1"))],
        "completed",
        received(REFUND.key),
        f"POST /v72/payments/{PAYMENT}/refunds",
        {"merchantAccount": ACCOUNT, "reference": REFUND.key, "amount": MONEY},
    ),
    "expire": (
        lambda gateway: gateway.void(VOID),
        [],
        "active",
        answer(200, link(status="expired")),
        f"PATCH /v72/paymentLinks/{LINK_ID}",
        {"status": "expired"},
    ),
}
SCHEMAS = {
    "create": "PaymentLinkRequest",
    "capture": "PaymentCaptureRequest",
    "cancel": "PaymentCancelRequest",
    "refund": "PaymentRefundRequest",
    "expire": "UpdatePaymentLinkRequest",
}


async def sent(
    name: str, gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> tuple[str, dict[str, str], Any]:
    """What goes over the wire for one of the calls: its first line, its headers and its body."""
    call, bodies, status, said, _, _ = CALLS[name]
    kept.bodies[:] = bodies
    scripted.tell(*([answer(200, link(status=status))] if status else []), said)
    await call(gateway)
    headers, raw = scripted.received()[-1]
    return scripted.requests[-1].split(" HTTP")[0], headers, json.loads(raw)


@pytest.mark.parametrize("name", CALLS)
async def test_requests(name: str, gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies) -> None:
    """Each call goes to its address with the API key, our key as Idempotency-Key and as reference, and nothing more."""
    address, headers, said = await sent(name, gateway, scripted, kept)
    assert (address, said) == CALLS[name][-2:]
    assert headers["x-api-key"] == API_KEY
    assert headers["content-type"] == "application/json"
    keys = {"create": CREATE.key, "capture": CAPTURE.key, "cancel": VOID.key, "refund": REFUND.key}
    assert headers.get("idempotency-key") == keys.get(name)


@published
@pytest.mark.parametrize("name", CALLS)
async def test_requests_fit_the_published_api(
    name: str, gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """Every body that we send is one that Adyen's own description allows."""
    _, _, said = await sent(name, gateway, scripted, kept)
    components = json.loads(SPEC.read_text())
    schema = {"$ref": f"#/components/schemas/{SCHEMAS[name]}", **components}
    jsonschema.Draft202012Validator(schema).validate(said)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({**said, "status": 1, "merchantAccount": 1})


@published
def test_published_answers_are_read() -> None:
    """The payment links of Adyen's own examples are read."""
    examples = json.loads(SPEC.read_text())["components"]["examples"]
    for name in (
        "get-paymentLinks-linkId-basic-200",
        "patch-paymentLinks-linkId-basic-200",
        "post-paymentLinks-basic-201",
    ):
        stated = examples[name]["value"]
        payment = seen(link_of(stated), (), live=False).payment
        assert payment.payment_id == stated["id"]
        assert payment.amount == Money(stated["amount"]["value"], stated["amount"]["currency"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "authorised"},
        {"paymentPspReference": "PSPANOTHER"},
        {"merchantAccount": "SomebodyElse"},
        {"reference": "chk_2:capture:1"},
        {"amount": {"value": 4201, "currency": "USD"}},
        {"amount": {"value": 4200, "currency": "EUR"}},
        {"pspReference": ""},
    ],
    ids=lambda wrong: "".join(wrong),
)
async def test_an_answer_about_something_else_is_unknown(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, wrong: dict[str, Any]
) -> None:
    """A modification that Adyen answers with another payment, account, amount or reference is not taken for ours."""
    kept.bodies[:] = [body(item())]
    scripted.tell(answer(200, link(status="completed")), received(CAPTURE.key, **wrong))
    with pytest.raises(OutcomeUnknownError):
        await gateway.capture(CAPTURE)


async def test_ids_cannot_lead_elsewhere(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """An id with a path or a query in it stays one part of the address."""
    scripted.tell(answer(200, link()))
    await gateway.lookup("PL1/../../payments?x=1#y")
    assert scripted.requests[0].startswith("GET /v72/paymentLinks/PL1%2F..%2F..%2Fpayments%3Fx%3D1%23y HTTP")


async def test_an_amount_that_does_not_fit_is_never_sent(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """Amounts that Adyen cannot count exactly are refused here, before any call."""
    scripted.tell(answer(200, link()))
    wrong = Money(4250, "CVE")
    for call in (
        gateway.create(CreatePayment("k", "chk_1", "o", wrong, hold=True)),
        gateway.capture(CapturePayment("k", LINK_ID, wrong)),
        gateway.refund(RefundPayment("k", LINK_ID, Money(0, PRICE.currency))),
    ):
        with pytest.raises(AmountDoesNotFitError):
            await call
    assert scripted.requests == []


LINKS: dict[str, dict[str, Any]] = {
    **{f"no {name}": {**link(), name: None} for name in ("id", "reference", "status", "amount", "merchantAccount")},
    "no url": link(url=None),
    "amount a number": link(amount=4200),
    "value a string": link(amount={"currency": "USD", "value": "4200"}),
    "value true": link(amount={"currency": "USD", "value": True}),
    "value a float": link(amount={"currency": "USD", "value": 4200.0}),
    "no currency": link(amount={"value": 4200}),
    "unknown currency": link(amount={"currency": "ZZZ", "value": 4200}),
    "url a script": link(url="javascript:alert(1)"),
    "unknown status": link(status="melted"),
}


@pytest.mark.parametrize("stated", LINKS.values(), ids=LINKS.keys())
async def test_a_link_that_cannot_be_read_is_unknown(
    gateway: AdyenGateway, scripted: ScriptedServer, stated: dict[str, Any]
) -> None:
    """A link without its parts, or with parts of another kind, is no answer: nothing is guessed."""
    scripted.tell(answer(200, stated))
    for call in (gateway.create(CREATE), gateway.lookup(LINK_ID)):
        with pytest.raises(OutcomeUnknownError):
            await call
