"""Errors, health and the description of the API."""

import ast
import json
import re
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api import failures
from api.app import create_app
from api.problems import TITLES
from ledger.engine import create_engine
from ledger.keys import ApiKeys

from .conftest import Api, order, serving
from .test_webhooks import event, signed


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/checkouts/", 404),
        ("PUT", "/v1/checkouts", 405),
        ("DELETE", "/v1/checkouts/chk_x", 405),
        ("GET", "/webhooks/stripe", 405),
        ("POST", "/healthz", 405),
        ("GET", "/%00", 404),
        ("GET", "/v1/checkouts?limit=0", 422),
    ],
)
async def test_every_error_is_a_problem_document(api: Api, method: str, path: str, status: int) -> None:
    """RFC 9457: the members are there, the content type is right, nothing may be cached."""
    response = await api.client.request(method, path)
    problem = response.json()
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert problem["type"] == f"urn:paysaga:problem:{problem['code']}"
    assert (problem["title"], problem["status"]) == (TITLES[problem["code"]], status)
    assert problem["detail"]


def test_the_titles_are_those_of_the_codes_in_use() -> None:
    """A problem without a title could not be answered, and a title without a problem says nothing."""
    places = {"Problem": 1, "invalid": 2, "unavailable": 0}
    used = {"validation_failed", "request_refused", *failures._CODES.values()}
    for module in Path(failures.__file__).parent.glob("*.py"):
        for call in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in places:
                code = dict(enumerate(call.args)).get(places[call.func.id])
                used |= {code.value} if isinstance(code, ast.Constant) else set()
    assert used == set(TITLES)


async def test_health_is_always_fine(api: Api) -> None:
    """/healthz asks nobody."""
    response = await api.client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_readiness_names_what_is_down(database_url: str) -> None:
    """/readyz is 503 naming each part that fails or is silent, and 200 when none does."""

    async def fine() -> None:
        return None

    async def broken() -> None:
        raise ConnectionError

    for probes, status in (({"database": fine, "temporal": fine}, 200), ({"database": fine, "temporal": broken}, 503)):
        async with serving(database_url, probes=probes) as api:
            response = await api.client.get("/readyz")
            assert response.status_code == status
            if status == 503:
                assert response.json()["down"] == ["temporal"]


@pytest.mark.parametrize("known", [True, False])
async def test_without_the_database_everything_is_unavailable(database_url: str, known: bool) -> None:
    """A database that is gone gives 503 naming it, to known and unknown callers and to gateways, never a 500."""
    nowhere = "postgresql://nobody@127.0.0.1:9/nothing"
    async with serving(nowhere, keys_url=database_url) as api:
        if not known:
            api.services.authenticator._keys = ApiKeys(create_engine(nowhere))
        body = json.dumps(event()).encode()
        for response in (
            await api.client.get("/v1/checkouts"),
            await api.client.post("/v1/checkouts", json=order()),
            await api.client.post("/v1/checkouts", json=order(), headers={"Idempotency-Key": "k"}),
            await api.client.post("/webhooks/stripe", content=body, headers=signed(body)),
        ):
            assert (response.status_code, response.json()["code"]) == (503, "database_down")
            assert int(response.headers["retry-after"]) > 0


_AS_GOOD_TWICE = {"/v1/gateways/{name}/breaker", "/v1/routes/explain", "/v1/webhooks/replay"}
"""POSTs that take no idempotency key."""


async def test_the_description_is_complete(api: Api) -> None:
    """The OpenAPI document has every route, its errors, its security and the idempotency key."""
    document = (await api.client.get("/openapi.json")).json()
    assert set(document["paths"]) == {
        "/v1/checkouts",
        "/v1/checkouts/{checkout_id}",
        "/v1/checkouts/{checkout_id}/timeline",
        "/v1/checkouts/{checkout_id}/postings",
        "/v1/checkouts/{checkout_id}/stream",
        "/v1/checkouts/{checkout_id}/confirm",
        "/v1/checkouts/{checkout_id}/capture",
        "/v1/checkouts/{checkout_id}/reject",
        "/v1/checkouts/{checkout_id}/cancel",
        "/v1/checkouts/{checkout_id}/customer",
        "/v1/checkouts/{checkout_id}/refunds",
        "/v1/checkouts/{checkout_id}/refunds/{refund_id}",
        "/v1/disputes",
        "/v1/disputes/{dispute_id}",
        "/v1/disputes/{dispute_id}/evidence",
        "/v1/disputes/{dispute_id}/accept",
        "/v1/cases",
        "/v1/cases/{case_id}",
        "/v1/cases/{case_id}/actions",
        "/v1/webhooks",
        "/v1/webhooks/replay",
        "/v1/webhooks/{event}/replay",
        "/v1/analytics/daily",
        "/v1/webhook-endpoints",
        "/v1/webhook-endpoints/{endpoint_id}",
        "/v1/webhook-endpoints/{endpoint_id}/secrets",
        "/v1/webhook-endpoints/{endpoint_id}/deliveries",
        "/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}",
        "/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/resend",
        "/metrics",
        "/v1/gateways",
        "/v1/gateways/{name}/breaker",
        "/v1/routes",
        "/v1/routes/explain",
        "/webhooks/{gateway}",
        "/healthz",
        "/readyz",
    }
    assert document["paths"]["/metrics"]["get"]["security"] == [{"api_key": []}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if not path.startswith("/v1"):
                continue
            assert operation["security"] == [{"api_key": []}]
            assert {"401", "403", "422", "503"} <= set(operation["responses"])
            names = {p["name"] for p in operation.get("parameters", [])}
            assert ("Idempotency-Key" in names) is (method == "post" and path not in _AS_GOOD_TWICE)
            for status, response in operation["responses"].items():
                kind = "text/event-stream" if path.endswith("/stream") else "application/json"
                kind = "application/problem+json" if status >= "400" else kind
                assert list(response.get("content", {})) == ([kind] if status != "204" else [])


async def test_the_documentation_page_is_there(api: Api) -> None:
    """/docs is a page for people, and all that it loads comes from this server."""
    response = await api.client.get("/docs")
    assert response.status_code == 200
    assert re.match("text/html", response.headers["content-type"])
    parts = re.findall(r"""(?:src|href)=["']([^"']+)""", response.text)
    assert len(parts) >= 2
    for part in parts:
        assert part.startswith("/")
        assert (await api.client.get(part)).status_code == 200


async def test_the_application_can_be_built_without_parts() -> None:
    """Building the application opens nothing: parts are opened when it starts."""

    @asynccontextmanager
    async def never():  # type: ignore[no-untyped-def]
        raise AssertionError("opened too early")
        yield

    assert create_app(never).title == "Paysaga"
