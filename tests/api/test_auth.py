"""Who may call."""

import asyncio

import pytest

from api.auth import REMEMBER_SECONDS, Authenticator
from api.keys import SCOPES

from .conftest import Api, bearer, order

ROUTES = [
    ("GET", "/v1/checkouts", "read"),
    ("GET", "/v1/checkouts/chk_x", "read"),
    ("GET", "/v1/checkouts/chk_x/timeline", "read"),
    ("GET", "/v1/checkouts/chk_x/postings", "read"),
    ("GET", "/v1/checkouts/chk_x/stream", "read"),
    ("POST", "/v1/checkouts", "write"),
    ("POST", "/v1/checkouts/chk_x/confirm", "write"),
    ("POST", "/v1/checkouts/chk_x/reject", "write"),
    ("POST", "/v1/checkouts/chk_x/cancel", "write"),
    ("GET", "/v1/checkouts/chk_x/customer", "customers"),
    ("GET", "/v1/gateways", "read"),
    ("POST", "/v1/gateways/stripe/breaker", "operate"),
    ("GET", "/v1/routes", "read"),
    ("POST", "/v1/routes/explain", "read"),
]


@pytest.mark.parametrize(("method", "path", "_scope"), ROUTES)
@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"Bearer",
        b"Bearer psk_unknown",
        b"Basic cHNrOg==",
        b"Bearer \xff\xfe",
        b"Bearer a b",
        b"Bearer " + b"x" * 65_536,
    ],
)
async def test_without_a_valid_key_nothing_is_told(
    api: Api, method: str, path: str, _scope: str, header: bytes | None
) -> None:
    """Every route under /v1 answers 401 with a challenge, before it looks at anything else."""
    headers = {} if header is None else {b"Authorization": header}
    response = await api.stranger.request(method, path, headers=headers, content=b"{" if method == "POST" else None)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["code"] == "unauthorized"


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_the_missing_scope_is_named(api: Api, method: str, path: str, scope: str) -> None:
    """A key with every other scope gets 403 naming the one it lacks."""
    secret = await api.key(*({*SCOPES} - {scope}))
    response = await api.client.request(method, path, headers=bearer(secret))
    assert (response.status_code, response.json()["scope"]) == (403, scope)


async def test_a_revoked_key_is_out_within_seconds(api: Api) -> None:
    """A revocation is felt once the remembered key has aged."""
    now = 0.0
    authenticator = Authenticator(api.keys, clock=lambda: now)
    key, secret = await api.keys.create("short-lived", ["read"])
    assert await authenticator.authenticate(secret) == key
    await api.keys.revoke(key.id)
    now += REMEMBER_SECONDS
    assert await authenticator.authenticate(secret) is None


async def test_the_kind_of_credentials_is_read_without_regard_to_case(api: Api) -> None:
    """HTTP's scheme names are case-insensitive."""
    response = await api.client.get("/v1/checkouts", headers={"Authorization": f"bearer {api.secret}"})
    assert response.status_code == 200


async def test_idempotency_keys_of_two_callers_do_not_meet(api: Api) -> None:
    """The same key from two API keys is two keys."""
    headers = [bearer(await api.key("write")) | {"Idempotency-Key": "shared"} for _ in range(2)]
    responses = await asyncio.gather(*(api.client.post("/v1/checkouts", json=order(), headers=one) for one in headers))
    assert [r.status_code for r in responses] == [201, 201]
    assert responses[0].json()["id"] != responses[1].json()["id"]
