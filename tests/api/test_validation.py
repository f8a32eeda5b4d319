"""What is refused, and that the answer names the field and what would be right."""

import json

import pytest

from .conftest import Api, order

CARD = "4242424242424242"
DEEP = "[" * 50_000 + "]" * 50_000


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"order_id": ""}, "order_id"),
        ({"order_id": "x" * 65}, "order_id"),
        ({"order_id": "a\tb"}, "order_id"),
        ({"order_id": "a\u202eb"}, "order_id"),
        ({"order_id": 5}, "order_id"),
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 4200.0}, "amount"),
        ({"amount": "4200"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": 10**400}, "amount"),
        ({"amount": 2**53}, "amount"),
        ({"amount": 100_000_000}, "amount"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": "US"}, "currency"),
        ({"currency": "\uff35\uff33\uff24"}, "currency"),
        ({"currency": 840}, "currency"),
        ({"currency": "UYW"}, "currency"),
        ({"currency": "KWD", "amount": 1001}, "amount"),
        ({"gateway": "adyen"}, "gateway"),
        ({"gateway": "Stripe"}, "gateway"),
        ({"capture": "manual"}, "capture"),
        ({"capture": None}, "capture"),
        ({"confirmation": {}}, "confirmation.required"),
        ({"confirmation": {"required": "true"}}, "confirmation.required"),
        ({"confirmation": {"required": True, "within_seconds": 0}}, "confirmation.within_seconds"),
        ({"confirmation": {"required": True, "within_seconds": 30 * 86_400 + 1}}, "confirmation.within_seconds"),
        ({"confirmation": {"required": False, "within_seconds": 5}}, "confirmation.within_seconds"),
        ({"confirmation": {"required": True, "until": 5}}, "confirmation.until"),
        ({"capture": "on_confirm", "confirmation": {"required": False}}, "confirmation.required"),
        (
            {"capture": "on_confirm", "confirmation": {"required": True, "within_seconds": 604_800}},
            "confirmation.within_seconds",
        ),
        ({"expires_in_seconds": 0}, "expires_in_seconds"),
        ({"expires_in_seconds": 82_801}, "expires_in_seconds"),
        ({"return_url": "ftp://shop.example"}, "return_url"),
        ({"return_url": "javascript:alert(1)"}, "return_url"),
        ({"return_url": "https://"}, "return_url"),
        ({"return_url": "https://user:pass@shop.example/"}, "return_url"),
        ({"return_url": "https://[::1"}, "return_url"),
        ({"return_url": "https://shop.example:99999/"}, "return_url"),
        ({"return_url": "https://shop.example/" + "x" * 2048}, "return_url"),
        ({"customer": {"email": "nobody"}}, "customer.email"),
        ({"customer": {"email": "a@b.example", "name": "x"}}, "customer.name"),
        ({"metadata": {str(n): "v" for n in range(21)}}, "metadata"),
        ({"metadata": {"k" * 41: "v"}}, "metadata." + "k" * 41),
        ({"metadata": {"k": "v" * 501}}, "metadata.k"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"metadata": {"k": "\x00"}}, "metadata.k"),
        ({"metadata": {"k": "\ud800"}}, "metadata.k"),
        ({"state": "paid"}, "state"),
        ({"\ud800": 1}, "(a name)"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(api: Api, change: dict[str, object], field: str) -> None:
    """Each wrong field gives a 422 problem naming it, and no checkout."""
    body = order() | change
    headers = {"Content-Type": "application/json"}
    response = await api.client.post("/v1/checkouts", content=json.dumps(body), headers=headers)
    problem = response.json()
    assert (response.status_code, problem.get("field")) == (422, field), problem
    assert [e["field"] for e in problem["errors"]] == [field]
    if isinstance(body["order_id"], str):
        assert await api.services.books.find_by_order(body["order_id"]) is None


async def test_every_fault_is_told_at_once(api: Api) -> None:
    """A request with several faults learns of all of them."""
    response = await api.client.post("/v1/checkouts", json={"amount": -1, "currency": "usd", "x": 1})
    assert {e["field"] for e in response.json()["errors"]} == {"order_id", "amount", "currency", "x"}
    assert "field" not in response.json()


async def test_a_refusal_says_what_would_be_right(api: Api) -> None:
    """Amounts the gateway cannot take are refused with its grain, a wait with its bound, and so on, in our words."""
    for change, right in (
        ({"currency": "KWD", "amount": 1001}, "multiples of 10"),
        ({"gateway": "nobody"}, "must be one of: stripe"),
        ({"expires_in_seconds": 82_801}, "must be at most 82800: stripe keeps keys for 86400 seconds"),
        ({"confirmation": True}, "confirmation: must be an object"),
        ({"confirmation": {}}, "confirmation.required: must be given"),
        ({"captur": "automatic"}, "captur: is not known here"),
    ):
        assert right in (await api.create(**change)).json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"{", 400),
        (b"{'a': 1}", 400),
        (b'{"amount": NaN}', 400),
        (b'{"amount": Infinity}', 400),
        (b'{"amount": 1e400}', 400),
        (b'{"amount": 1, "amount": 2}', 400),
        (b'{"amount": ' + b"9" * 5000 + b"}", 400),
        (b'{"amount": \xff}', 400),
        (b'{"order_id": "\xed\xa0\x80"}', 400),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"order_id": "a\x00"}', 400),
        (DEEP[:30_000].encode(), 400),
        (b"[" * 20 + b"]" * 20, 400),
        (b"x" * 65_537, 413),
        (b"x" * 3_000_000, 413),
    ],
)
async def test_a_body_that_is_no_fit_document(api: Api, body: bytes, status: int) -> None:
    """Whatever the bytes are, the answer is a problem of the 4xx kind."""
    response = await api.client.post("/v1/checkouts", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"]
)
async def test_a_body_must_say_it_is_json(api: Api, kind: str | None) -> None:
    """Another content type, or none, is 415: a web page of somebody else cannot post here unnoticed."""
    headers = {"Content-Type": kind} if kind else {}
    response = await api.client.post("/v1/checkouts", content=json.dumps(order()), headers=headers)
    assert (response.status_code, response.json()["code"]) == (415, "media_type_unsupported")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"order_id": CARD}, "order_id"),
        ({"order_id": "4242 4242 4242 4242"}, "order_id"),
        ({"order_id": "pay 4242-4242-4242-4242!"}, "order_id"),
        ({"amount": int(CARD)}, "amount"),
        ({"amount": float(CARD)}, "amount"),
        ({"metadata": {"note": "pan378282246310005"}}, "metadata.note"),
        ({"metadata": {CARD: "x"}}, "metadata.(a name)"),
        ({"customer": {"email": f"{CARD}@x.example"}}, "customer.email"),
        ({"anything": [{"deep": [CARD]}]}, "anything.0.deep.0"),
        ({"return_url": f"https://shop.example/?c={CARD}"}, "return_url"),
    ],
)
async def test_card_numbers_are_refused_unseen(
    api: Api, change: dict[str, object], field: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A card number anywhere in the body is refused, named by its field, neither echoed nor logged."""
    response = await api.client.post("/v1/checkouts", json=order() | change)
    assert (response.status_code, response.json()["code"], response.json()["field"]) == (
        422,
        "card_number_refused",
        field,
    )
    for text in (response.text, caplog.text):
        assert not any(part in text for part in (CARD, "4242 4242", "4242-4242", "378282246310005"))


@pytest.mark.parametrize("path", [f"/v1/checkouts/{CARD}", f"/v1/checkouts?order_id={CARD}", f"/v1/checkouts?{CARD}=1"])
async def test_card_numbers_in_the_address_are_refused(api: Api, path: str) -> None:
    """The address is scanned as well."""
    response = await api.client.get(path)
    assert (response.status_code, response.json()["code"]) == (422, "card_number_refused")
    assert CARD not in response.text


async def test_a_card_number_as_idempotency_key_is_refused(api: Api) -> None:
    """The key is kept in the database, so it must not be a card number either."""
    response = await api.create(headers={"Idempotency-Key": f"pay-{CARD}"})
    assert (response.status_code, response.json()["field"]) == (422, "Idempotency-Key")
