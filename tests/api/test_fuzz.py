"""No input gives a 500: whatever is sent, the answer is a problem of the sender's."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Api, bearer, order

# Half of a surrogate pair is text in JSON's eyes, so it is among what may come.
TEXT = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(["\x00", "\ud800", "\U0010ffff", "\u202e", ""])
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from([10**400, -1, 2**63, 1e308])
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
MEMBERS = (
    "order_id",
    "amount",
    "currency",
    "gateway",
    "capture",
    "on_hold_expiry",
    "confirmation",
    "expires_in_seconds",
    "return_url",
    "customer",
    "metadata",
)
INSIDE = st.fixed_dictionaries(
    {}, optional={"required": JSON, "within_seconds": JSON, "email": JSON, "country": JSON, "method": JSON}
)
PATHS = (
    "/v1/checkouts",
    f"/v1/checkouts/chk_{'0' * 24}/reject",
    f"/v1/checkouts/chk_{'0' * 24}/confirm",
    f"/v1/checkouts/chk_{'0' * 24}/capture",
    f"/v1/checkouts/chk_{'0' * 24}/refunds",
    f"/v1/disputes/dsp_{'0' * 24}/evidence",
    f"/v1/cases/case_{'0' * 24}_1/actions",
    "/v1/webhooks/replay",
    "/v1/webhooks/inb_0/replay",
    "/v1/routes/explain",
    "/v1/webhook-endpoints",
    f"/v1/webhook-endpoints/we_{'0' * 24}",
    f"/v1/webhook-endpoints/we_{'0' * 24}/secrets",
)
LISTINGS = ("/v1/checkouts", "/v1/disputes", "/v1/cases", "/v1/webhooks", "/v1/webhook-endpoints")
FILTERS = (
    "state",
    "gateway",
    "order_id",
    "stuck",
    "cursor",
    "limit",
    "kind",
    "checkout",
    "open",
    "since",
    "until",
    "outcome",
    "payment_id",
    "reference",
    "x",
)
AFTER_SALE = (
    "amount",
    "final",
    "reason",
    "action",
    "evidence",
    "explanation",
    "gateway",
    "since",
    "outcome",
    "url",
    "events",
    "x",
)

fuzz = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


# Times that calendars and databases quarrel about.
MOMENTS = st.sampled_from(
    [b"0001-01-01T00:00:00+00:00", b"0001-01-01T00:00:00-14:00", b"9999-12-31T23:59:59.999999Z", b"2026-11-22"]
)


async def fuzzer(api: Api) -> str:
    """The secret of a key that may do everything."""
    if api.url not in _FUZZERS:
        _FUZZERS[api.url] = await api.key("read", "write", "refund", "operate")
    return _FUZZERS[api.url]


_FUZZERS: dict[str, str] = {}


def check(response: Any) -> None:
    """Nothing of ours broke, and the answer is JSON of the one or the other kind."""
    assert response.status_code < 500, response.text
    kind = "application/problem+json" if response.status_code >= 400 else "application/json"
    assert response.headers["content-type"] == kind
    response.json()


@fuzz
@given(changes=st.dictionaries(st.sampled_from(MEMBERS), JSON | INSIDE, min_size=1, max_size=4))
async def test_any_member_may_hold_anything(api: Api, changes: dict[str, Any]) -> None:
    """A request that fits, with some members replaced by anything JSON can say (and a little more)."""
    body = json.dumps(order() | changes)
    check(await api.client.post("/v1/checkouts", content=body, headers={"Content-Type": "application/json"}))


@fuzz
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), path=st.sampled_from(PATHS))
async def test_any_bytes_may_be_the_body(api: Api, body: bytes, path: str) -> None:
    """Bytes of any kind at every POST."""
    check(await api.client.post(path, content=body, headers={"Content-Type": "application/json"}))


@fuzz
@given(body=st.dictionaries(st.sampled_from(AFTER_SALE), JSON, max_size=4), path=st.sampled_from(PATHS))
async def test_any_member_of_later_orders_may_hold_anything(api: Api, body: dict[str, Any], path: str) -> None:
    """Whatever stands where an amount, a reason, an action or a time belongs."""
    headers = bearer(await fuzzer(api)) | {"Content-Type": "application/json"}
    check(await api.stranger.post(path, content=json.dumps(body), headers=headers))


@fuzz
@given(
    query=st.dictionaries(st.sampled_from(FILTERS), st.binary(max_size=40) | MOMENTS, max_size=3),
    path=st.sampled_from(LISTINGS),
)
async def test_any_filter_may_hold_anything(api: Api, query: dict[str, bytes], path: str) -> None:
    """Any bytes, percent-encoded, in every filter of the listings."""
    text = "&".join(f"{name}=" + "".join(f"%{byte:02X}" for byte in value) for name, value in query.items())
    check(await api.stranger.get(f"{path}?{text}", headers=bearer(await fuzzer(api))))


@fuzz
@given(
    parts=st.binary(max_size=30),
    place=st.sampled_from(
        [
            ("GET", "/v1/checkouts/", ""),
            ("GET", "/v1/checkouts/", "/timeline"),
            ("GET", "/v1/checkouts/", "/postings"),
            ("GET", "/v1/checkouts/", "/refunds"),
            ("GET", f"/v1/checkouts/chk_{'0' * 24}/refunds/", ""),
            ("GET", "/v1/disputes/", ""),
            ("GET", "/v1/cases/", ""),
            ("POST", "/v1/checkouts/", "/cancel"),
            ("POST", "/v1/checkouts/", "/refunds"),
            ("POST", "/v1/disputes/", "/accept"),
            ("POST", "/v1/webhooks/", "/replay"),
            ("GET", "/v1/webhook-endpoints/", "/deliveries"),
            ("DELETE", "/v1/webhook-endpoints/", ""),
        ]
    ),
)
async def test_any_bytes_may_be_the_id(api: Api, parts: bytes, place: tuple[str, str, str]) -> None:
    """Any bytes, percent-encoded, where an id belongs."""
    method, before, after = place
    path = before + "".join(f"%{byte:02X}" for byte in parts) + after
    check(await api.stranger.request(method, path, headers=bearer(await fuzzer(api))))


READ = (b"Idempotency-Key", b"Content-Type", b"Authorization", b"Stripe-Signature", b"X-Other")
HEADER = st.binary(min_size=1, max_size=60).map(lambda value: bytes(b for b in value if b > 32 and b != 127) or b"x")


@fuzz
@given(
    headers=st.dictionaries(
        st.sampled_from([b"Idempotency-Key", b"Content-Type", b"Authorization", b"Stripe-Signature", b"X-Other"]),
        HEADER,
    ),
    path=st.sampled_from([*PATHS, "/webhooks/stripe"]),
)
async def test_any_bytes_may_be_a_header(api: Api, headers: dict[bytes, bytes], path: str) -> None:
    """Any bytes HTTP allows in the headers that are read."""
    check(await api.client.post(path, content=json.dumps(order()), headers=headers))
