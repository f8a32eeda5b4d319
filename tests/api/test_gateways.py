"""What the gateways can do and how their breakers stand, and the operator's hand on them."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from activities.guard import OPERATIONS

from .conftest import bearer, order
from .several import Several, several


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Several]:
    """Three gateways that no other test touches."""
    async with several(database_url, tmp_path) as made:
        yield made


async def set_breaker(shop: Several, gateway: str, **body: object):  # type: ignore[no-untyped-def]
    """The operator's POST."""
    headers = bearer(await shop.api.key("operate"))
    return await shop.api.stranger.post(f"/v1/gateways/{gateway}/breaker", json=body, headers=headers)


async def breakers_of(shop: Several, gateway: str) -> dict[str, dict[str, object]]:
    """A gateway's breakers by operation, as everybody who may read sees them."""
    listed = (await shop.api.client.get("/v1/gateways")).json()["data"]
    (view,) = (one for one in listed if one["name"] == gateway)
    return {breaker["operation"]: breaker for breaker in view["breakers"]}


async def test_gateways_are_listed_with_what_they_can_do(shop: Several) -> None:
    """In the configured order, capabilities as data, amounts in minor units by ISO 4217."""
    listed = (await shop.api.client.get("/v1/gateways")).json()["data"]
    assert [one["name"] for one in listed] == [shop.broad, shop.narrow, shop.at_once]
    can = listed[1]["capabilities"]
    assert listed[1]["live"] is False
    assert (can["hold_lifetime_seconds"], can["key_lifetime_seconds"]["create"]) == (259_200, 21_600)
    assert (can["capture_modes"], can["modifications"]) == (["automatic", "on_confirm"], "synchronous")
    later = ("several_captures", "reauthorize_after_seconds", "answers_disputes", "lists_events")
    assert [can[name] for name in later] == [False, None, [], False]
    broad = listed[0]["capabilities"]
    assert [broad[name] for name in later] == [True, 4 * 86_400, ["accept_dispute", "submit_evidence"], False]
    # The gateway counts whole euros from ten on.
    assert can["currencies"] == [
        {"currency": "EUR", "exponent": 0, "min": 1000, "max": 9_999_999_900, "multiple_of": 100}
    ]
    krona = {c["currency"]: c for c in listed[0]["capabilities"]["currencies"]}["ISK"]
    assert krona == {"currency": "ISK", "exponent": 2, "min": 1, "max": 999_999, "multiple_of": 1}


async def test_what_the_list_says_of_amounts_is_what_a_checkout_may_have(shop: Several) -> None:
    """The smallest and the largest are accepted; a unit beyond either, or beside the grain, is not."""
    for amount, status in ((1000, 201), (9_999_999_900, 201), (900, 422), (10_000_000_000, 422), (1050, 422)):
        response = await shop.create(gateway=shop.narrow, amount=amount)
        assert response.status_code == status, amount


async def test_breakers_that_nothing_happened_to_are_closed(shop: Several) -> None:
    """One for each operation and one for look-ups."""
    breakers = await breakers_of(shop, shop.broad)
    assert set(breakers) == set(OPERATIONS)
    assert breakers["create"] == {
        "operation": "create",
        "state": "closed",
        "since": None,
        "reason": None,
        "calls": 0,
        "failures": 0,
        "next_probe_at": None,
    }


async def test_a_tripped_breaker_shows_why_and_until_when(shop: Several) -> None:
    """State, since, reason, failures in the window, and when one call is let through."""
    await shop.trip(shop.broad)
    breaker = (await breakers_of(shop, shop.broad))["create"]
    assert (breaker["state"], breaker["failures"], breaker["calls"]) == ("open", 9, 9)
    assert "9 of 9 calls" in str(breaker["reason"])
    since, until = (datetime.fromisoformat(str(breaker[name])) for name in ("since", "next_probe_at"))
    assert (until - since).total_seconds() == 15


async def test_an_operator_takes_one_operation_out_and_back(shop: Several) -> None:
    """The answer is the gateway's view; who did it and why is in the history; new checkouts go elsewhere meanwhile."""
    response = await set_breaker(shop, shop.broad, state="forced_open", operation="create", reason="maintenance")
    assert response.status_code == 200
    states = {b["operation"]: (b["state"], b["reason"]) for b in response.json()["breakers"]}
    assert states.pop("create") == ("forced_open", "maintenance")
    assert set(states.values()) == {("closed", None)}
    assert (await shop.create()).json()["gateway"] == shop.narrow
    response = await set_breaker(shop, shop.broad, state="automatic", operation="create", reason="all done")
    assert {b["state"] for b in response.json()["breakers"]} == {"closed"}
    assert (await shop.create()).json()["gateway"] == shop.broad
    told = await shop.api.services.breakers.history(shop.broad, "create")
    assert [(e.before, e.after, e.reason) for e in told] == [
        ("forced_open", "closed", "all done"),
        ("closed", "forced_open", "maintenance"),
    ]
    assert all(e.who.startswith("key_") for e in told)


async def test_without_an_operation_all_are_meant(shop: Several) -> None:
    """The whole gateway, look-ups included; other gateways are not."""
    response = await set_breaker(shop, shop.broad, state="forced_open", reason="maintenance")
    assert {b["state"] for b in response.json()["breakers"]} == {"forced_open"}
    assert {b["state"] for b in (await breakers_of(shop, shop.narrow)).values()} == {"closed"}
    response = await set_breaker(shop, shop.broad, state="automatic", reason="done")
    assert {b["state"] for b in response.json()["breakers"]} == {"closed"}


async def test_said_twice_it_is_done_once(shop: Several) -> None:
    """Since when stays, and the history has one change; releasing what nobody holds changes nothing."""
    one = (await set_breaker(shop, shop.broad, state="forced_open", operation="void", reason="x")).json()
    other = (await set_breaker(shop, shop.broad, state="forced_open", operation="void", reason="x")).json()
    assert one == other
    await shop.trip(shop.broad)
    kept = (await breakers_of(shop, shop.broad))["create"]
    response = await set_breaker(shop, shop.broad, state="automatic", operation="create", reason="x")
    assert {b["operation"]: b for b in response.json()["breakers"]}["create"] == kept
    assert len(await shop.api.services.breakers.history(shop.broad, "void")) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, None),
        ({"state": "open", "reason": "x"}, "state"),
        ({"state": "closed", "reason": "x"}, "state"),
        ({"state": "forced_open"}, "reason"),
        ({"state": "forced_open", "reason": ""}, "reason"),
        ({"state": "forced_open", "reason": "x" * 201}, "reason"),
        ({"state": "forced_open", "reason": "a\nb"}, "reason"),
        ({"state": "forced_open", "reason": "x", "operation": "pay"}, "operation"),
        ({"state": "forced_open", "reason": "x", "operations": ["create"]}, "operations"),
    ],
)
async def test_a_command_that_does_not_fit_changes_nothing(
    shop: Several, body: dict[str, object], field: str | None
) -> None:
    """422 naming the field."""
    response = await set_breaker(shop, shop.broad, **body)
    assert (response.status_code, response.json().get("field")) == (422, field)
    assert {b["state"] for b in (await breakers_of(shop, shop.broad)).values()} == {"closed"}


@pytest.mark.parametrize("name", ["nobody", "%00", "x" * 500, "..%2F.."])
async def test_an_unknown_gateway_is_not_found(shop: Several, name: str) -> None:
    """404, and no breaker comes to be for what there is not."""
    response = await set_breaker(shop, name, state="forced_open", reason="x")
    assert response.status_code == 404
    assert name not in {gateway for gateway, _ in (await shop.api.services.breakers.read()).breakers}


async def test_shops_are_no_operators(shop: Several) -> None:
    """A key that may read and write checkouts cannot take a gateway out of service."""
    body = {"state": "forced_open", "reason": "x"}
    response = await shop.api.client.post(f"/v1/gateways/{shop.broad}/breaker", json=body)
    assert (response.status_code, response.json()["scope"]) == (403, "operate")


async def test_operators_are_no_shops(shop: Several) -> None:
    """The operator's scope opens nothing else."""
    headers = bearer(await shop.api.key("operate"))
    for method, path in (("POST", "/v1/checkouts"), ("POST", "/v1/routes/explain"), ("GET", "/v1/gateways")):
        content = order() if method == "POST" else None
        response = await shop.api.stranger.request(method, path, json=content, headers=headers)
        assert response.status_code == 403
