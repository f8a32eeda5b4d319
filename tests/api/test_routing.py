"""Checkouts that name no gateway: who gets them, what is told of it, and what happens when nobody can."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.checkout import Checkout

from .conftest import bearer, order
from .several import Several, several


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Several]:
    """Three gateways and a file of rules."""
    async with several(database_url, tmp_path) as made:
        yield made


async def recorded(shop: Several, checkout_id: str) -> Checkout:
    """The checkout on the books."""
    record = await shop.api.services.books.get(checkout_id)
    assert record is not None
    return record.checkout


async def test_the_rule_decides_and_the_timeline_tells_why(shop: Several) -> None:
    """Gateway, alternatives and the reason are recorded with the checkout and stand in its first row."""
    shop.rules('[[rules]]\ncurrencies = ["EUR"]\namount_from = 4000\ngateways = ["<narrow>", "<broad>", "<at_once>"]')
    created = (await shop.create(amount=4200)).json()
    assert created["gateway"] == shop.narrow
    checkout = await recorded(shop, created["id"])
    assert (checkout.alternatives, checkout.route) == ((shop.broad,), f"rule 1: EUR from 40.00 → {shop.narrow}")
    first = (await shop.api.client.get(f"/v1/checkouts/{created['id']}/timeline")).json()["data"][0]
    assert first["details"]["route"] == checkout.route
    assert first["details"]["alternatives"] == shop.broad


async def test_the_shop_that_names_a_gateway_gets_it(shop: Several) -> None:
    """No rule has a say, there is no alternative, and the timeline tells of no route."""
    shop.rules('[[rules]]\ngateways = ["<narrow>"]')
    created = (await shop.create(gateway=shop.at_once)).json()
    checkout = await recorded(shop, created["id"])
    assert (checkout.gateway, checkout.alternatives, checkout.route) == (shop.at_once, (), None)
    first = (await shop.api.client.get(f"/v1/checkouts/{created['id']}/timeline")).json()["data"][0]
    assert "route" not in first["details"]


async def test_null_is_as_good_as_nothing(shop: Several) -> None:
    """`"gateway": null` lets the rules decide."""
    assert (await shop.create(gateway=None)).json()["gateway"] == shop.broad


@pytest.mark.parametrize(
    ("condition", "fits", "fits_not"),
    [
        ('countries = ["IS"]', {"customer": {"country": "IS"}}, {"customer": {"country": "DE"}}),
        ('methods = ["wallet"]', {"customer": {"method": "wallet"}}, {"customer": {"email": "a@b.example"}}),
        ('metadata = { channel = "app" }', {"metadata": {"channel": "app"}}, {"metadata": {"channel": "web"}}),
        ('currencies = ["USD"]', {"currency": "USD"}, {}),
    ],
)
async def test_what_the_request_says_reaches_the_rules(
    shop: Several, condition: str, fits: dict[str, object], fits_not: dict[str, object]
) -> None:
    """Country, method, metadata and currency."""
    shop.rules(f'[[rules]]\n{condition}\ngateways = ["<at_once>"]')
    assert (await shop.create(**fits)).json()["gateway"] == shop.at_once
    assert (await shop.create(**fits_not)).json()["gateway"] == shop.broad


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"currency": "USD"}, "currency: narrow_"),
        ({"amount": 4250}, "amount: does not fit EUR"),
        ({"expires_in_seconds": 20_000}, "expires_in_seconds: must be at most 18000"),
        (
            {"capture": "on_confirm", "confirmation": {"required": True, "within_seconds": 3 * 86_400}},
            "confirmation.within_seconds: must be at most 255600",
        ),
    ],
)
async def test_who_cannot_carry_it_out_is_skipped(shop: Several, asked: dict[str, object], why: str) -> None:
    """Currency, amount, life of its keys, length of its holds: the next one gets it, and explain says why."""
    shop.rules('[[rules]]\ngateways = ["<narrow>", "<broad>"]')
    created = (await shop.create(**asked)).json()
    assert created["gateway"] == shop.broad
    assert (await recorded(shop, created["id"])).route == f"rule 1: everything → {shop.broad}, {shop.narrow} skipped"
    told = (await shop.explain(**asked)).json()
    assert {g["name"]: g["why"] for g in told["gateways"]}[shop.narrow].startswith(why)


async def test_nobody_waits_for_a_payment_that_lapses_before(shop: Several) -> None:
    """A checkout lives no longer than the gateway keeps an unpaid payment payable."""
    assert (await shop.create(gateway=shop.at_once, expires_in_seconds=3600)).status_code in (201, 202)
    refused = (await shop.create(gateway=shop.at_once, expires_in_seconds=3601)).json()
    assert refused["field"] == "expires_in_seconds"
    assert "at most 3600" in refused["detail"]
    assert "lapse after 3600 seconds" in refused["detail"]


async def test_alternatives_can_carry_it_out_too(shop: Several) -> None:
    """One that cannot hold money is no alternative for a checkout that is captured later."""
    shop.rules('max_gateways = 3\n[[rules]]\ngateways = ["<broad>", "<at_once>", "<narrow>"]')
    created = (await shop.create(capture="on_confirm")).json()
    assert (await recorded(shop, created["id"])).alternatives == (shop.narrow,)


async def test_a_hold_lasts_at_whoever_may_carry_it(shop: Several) -> None:
    """The usual deadline for the confirmation is a day before the shortest hold of gateway and alternatives lapses."""
    shop.rules('[[rules]]\ngateways = ["<broad>", "<narrow>"]')
    created = (await shop.create(capture="on_confirm")).json()
    assert (await recorded(shop, created["id"])).confirm_within_seconds == 2 * 86_400
    shop.rules('[[rules]]\ngateways = ["<broad>"]')
    created = (await shop.create(capture="on_confirm")).json()
    assert (await recorded(shop, created["id"])).confirm_within_seconds == 6 * 86_400


async def test_new_checkouts_route_around_an_open_breaker(shop: Several) -> None:
    """A gateway whose breaker is open for new payments is passed over, whoever opened it; for refunds it is not."""
    shop.rules('[[rules]]\ngateways = ["<broad>", "<at_once>", "<narrow>"]')
    await shop.api.services.breakers.change(shop.broad, "refund", lambda b, now: b.forced(now, "x"))
    assert (await shop.create()).json()["gateway"] == shop.broad
    await shop.trip(shop.broad)
    assert (await shop.create()).json()["gateway"] == shop.at_once
    await shop.force(shop.at_once)
    created = (await shop.create()).json()
    checkout = await recorded(shop, created["id"])
    assert (checkout.gateway, checkout.alternatives) == (shop.narrow, ())
    assert (checkout.route or "").endswith(f"→ {shop.narrow}, {shop.broad} and {shop.at_once} skipped")


async def test_a_probe_that_is_due_lets_a_checkout_through(shop: Several) -> None:
    """Else a gateway that no checkout waits for would be passed over for ever."""
    shop.rules('[[rules]]\ngateways = ["<broad>", "<narrow>"]')
    await shop.trip(shop.broad)
    await shop.api.services.breakers.change(shop.broad, "create", lambda b, now: replace(b, next_probe_at=now))
    assert (await shop.create()).json()["gateway"] == shop.broad


async def test_when_nobody_ever_can_each_reason_is_told(shop: Several) -> None:
    """422 with the fields at fault and what each gateway says; nothing is recorded."""
    body = order(currency="GBP")
    response = await shop.api.client.post("/v1/checkouts", json=body)
    problem = response.json()
    assert (response.status_code, problem["code"], problem["field"]) == (422, "validation_failed", "currency")
    assert all(name in problem["detail"] for name in (shop.broad, shop.narrow, shop.at_once))
    assert await shop.api.services.books.find_by_order(str(body["order_id"])) is None


async def test_different_faults_at_different_gateways_are_all_told(shop: Several) -> None:
    """One field at one gateway, another at the other: both are named."""
    shop.rules('[[rules]]\ngateways = ["<narrow>", "<at_once>"]')
    response = await shop.create(amount=4250, capture="on_confirm")
    assert response.status_code == 422
    assert {e["field"] for e in response.json()["errors"]} == {"amount", "capture"}


@pytest.mark.parametrize("forced", [False, True])
async def test_when_only_breakers_stand_in_the_way_one_is_asked_to_come_back(shop: Several, forced: bool) -> None:
    """503 with the seconds until the first may be free, naming every reason; nothing is recorded."""
    shop.rules('[[rules]]\ngateways = ["<narrow>", "<broad>"]')
    for name in (shop.narrow, shop.broad):
        await (shop.force(name) if forced else shop.trip(name))
    body = order(currency="EUR")
    response = await shop.api.client.post("/v1/checkouts", json=body)
    assert (response.status_code, response.json()["code"]) == (503, "gateway_unavailable")
    assert 1 <= int(response.headers["retry-after"]) <= 15
    assert all(name in response.json()["detail"] for name in (shop.narrow, shop.broad))
    assert await shop.api.services.books.find_by_order(str(body["order_id"])) is None
    # One can never take it, the other only not now: coming back may help.
    assert (await shop.create(amount=4250)).status_code == 503


async def test_a_named_gateway_under_maintenance_is_refused(shop: Several) -> None:
    """503 naming it and the operator's reason; one that merely tripped is accepted, its saga waits."""
    await shop.force(shop.broad, "moving house")
    response = await shop.create(gateway=shop.broad)
    assert (response.status_code, response.json()["code"]) == (503, "gateway_unavailable")
    assert "moving house" in response.json()["detail"]
    assert int(response.headers["retry-after"]) > 0
    await shop.trip(shop.narrow)
    assert (await shop.create(gateway=shop.narrow)).status_code == 201


async def test_said_again_it_is_the_same_checkout_whatever_the_rules_say_now(shop: Several) -> None:
    """Rules that changed, breakers that opened: the order has its checkout, and gets it."""
    shop.rules('[[rules]]\ngateways = ["<broad>", "<narrow>"]')
    body = order(currency="EUR", capture="on_confirm")
    first = await shop.api.client.post("/v1/checkouts", json=body)
    shop.rules('[[rules]]\ngateways = ["<narrow>"]')
    again = await shop.api.client.post("/v1/checkouts", json=body)
    assert (again.status_code, again.json()) == (201, first.json())
    await shop.force(shop.narrow)
    again = await shop.api.client.post("/v1/checkouts", json=body)
    assert (again.status_code, again.json()) == (201, first.json())
    assert shop.api.sagas.calls[f"open {first.json()['id']}"] == 1


async def test_a_request_that_names_the_gateway_must_name_the_same(shop: Several) -> None:
    """The stored gateway fits, also where the rules chose it; another is a conflict, and so are other terms."""
    body = order(currency="EUR")
    first = (await shop.api.client.post("/v1/checkouts", json=body)).json()
    assert first["gateway"] == shop.broad
    same = await shop.api.client.post("/v1/checkouts", json=body | {"gateway": shop.broad})
    assert (same.status_code, same.json()["id"]) == (201, first["id"])
    for other in ({"gateway": shop.narrow}, {"amount": 4300}, {"currency": "USD"}, {"capture": "on_confirm"}):
        response = await shop.api.client.post("/v1/checkouts", json=body | other)
        assert (response.status_code, response.json()["code"]) == (409, "order_conflict"), other
    named = order(currency="EUR", gateway=shop.at_once)
    first = (await shop.api.client.post("/v1/checkouts", json=named)).json()
    again = await shop.api.client.post("/v1/checkouts", json={k: v for k, v in named.items() if k != "gateway"})
    assert (again.status_code, again.json()["id"]) == (201, first["id"])


async def test_explain_answers_without_doing(shop: Several) -> None:
    """The decision as it would be, every rule and every gateway with its reason; nothing is recorded or started."""
    shop.rules(
        """
        [[rules]]
        name = "far away"
        countries = ["AU"]
        gateways = ["<at_once>"]
        [[rules]]
        currencies = ["EUR"]
        gateways = ["<narrow>", "<broad>"]
        [[rules]]
        gateways = ["<at_once>"]
        """
    )
    body = order(currency="EUR", amount=4250, customer={"country": "DE"})
    before = shop.api.sagas.calls.total()
    response = await shop.api.client.post("/v1/routes/explain", json=body)
    assert response.status_code == 200
    told = response.json()
    assert (told["gateway"], told["alternatives"]) == (shop.broad, [])
    assert told["reason"] == f"rule 2: EUR → {shop.broad}, {shop.narrow} skipped"
    assert [(r["number"], r["name"], r["matched"], r["decides"], r["why_not"]) for r in told["rules"]] == [
        (1, "far away", False, False, "the customer's country is not AU"),
        (2, None, True, True, None),
        (3, None, True, False, None),
    ]
    assert {g["name"]: (g["role"], g["why"]) for g in told["gateways"]} == {
        shop.broad: ("chosen", None),
        shop.narrow: ("skipped", "amount: does not fit EUR at " + shop.narrow + ": the gateway takes multiples of 100, "
                      "in minor units"),
        shop.at_once: ("not_considered", "not among the gateways of rule 2"),
    }  # fmt: skip
    assert await shop.api.services.books.find_by_order(str(body["order_id"])) is None
    assert shop.api.sagas.calls.total() == before


async def test_explain_and_create_agree(shop: Several) -> None:
    """What explain says of an order is what the order gets, drawn ones included."""
    shop.rules("max_gateways = 3\n[[rules]]\nweights = { <broad> = 2, <narrow> = 2, <at_once> = 1 }")
    seen = set()
    for _ in range(12):
        body = order(currency="EUR")
        told = (await shop.api.client.post("/v1/routes/explain", json=body)).json()
        checkout = await recorded(shop, (await shop.api.client.post("/v1/checkouts", json=body)).json()["id"])
        assert (told["gateway"], told["alternatives"]) == (checkout.gateway, [*checkout.alternatives])
        assert told["reason"] == checkout.route
        seen.add(checkout.gateway)
    assert len(seen) > 1


async def test_explain_tells_of_gateways_beyond_the_limit(shop: Several) -> None:
    """The third in line is left out because two are the most."""
    told = (await shop.explain()).json()
    assert {g["name"]: (g["role"], g["why"]) for g in told["gateways"]} == {
        shop.broad: ("chosen", None),
        shop.narrow: ("alternative", None),
        shop.at_once: ("not_considered", "max_gateways is 2"),
    }


async def test_explain_of_a_named_gateway(shop: Several) -> None:
    """The shop decides, and hears where that cannot work."""
    told = (await shop.explain(gateway=shop.narrow)).json()
    assert (told["gateway"], told["reason"]) == (shop.narrow, f"the request names {shop.narrow}")
    told = (await shop.explain(gateway=shop.narrow, amount=4250)).json()
    assert (told["gateway"], told["reason"]) == (None, f"the request names {shop.narrow}, which cannot take it")
    await shop.force(shop.narrow)
    told = (await shop.explain(gateway=shop.narrow)).json()
    assert told["gateway"] is None
    assert {g["name"]: g["why"] for g in told["gateways"]}[shop.narrow] == "its breaker is forced_open: maintenance"
    response = await shop.explain(gateway="nobody")
    assert (response.status_code, response.json()["field"]) == (422, "gateway")


async def test_explain_answers_also_when_nobody_can(shop: Several) -> None:
    """No route is an answer, not an error."""
    told = (await shop.explain(currency="GBP")).json()
    assert (told["gateway"], told["alternatives"], told["reason"]) == (None, [], "by default → none")
    assert {g["role"] for g in told["gateways"]} == {"skipped"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer": {"country": "de"}}, "customer.country"),
        ({"customer": {"country": "UK"}}, "customer.country"),
        ({"customer": {"country": 49}}, "customer.country"),
        ({"customer": {"method": "Card"}}, "customer.method"),
        ({"customer": {"method": ""}}, "customer.method"),
        ({"customer": {"method": "x" * 33}}, "customer.method"),
        ({"gateway": "nobody"}, "gateway"),
        ({"confirmation": {"required": False, "within_seconds": 5}}, "confirmation.within_seconds"),
        ({"amount": 0}, "amount"),
    ],
)
async def test_both_refuse_what_is_malformed_alike(shop: Several, change: dict[str, object], field: str) -> None:
    """The same body is refused for the same field by explain and by create."""
    for response in (await shop.explain(**change), await shop.create(**change)):
        assert (response.status_code, response.json().get("field")) == (422, field)


async def test_the_customer_needs_no_address(shop: Several) -> None:
    """A country alone is enough to choose by; it is not kept."""
    created = (await shop.create(customer={"country": "DE", "method": "card"})).json()
    checkout = await recorded(shop, created["id"])
    assert checkout.email is None
    assert "DE" not in repr(checkout).split()


async def test_the_rules_in_force_are_shown(shop: Several) -> None:
    """Rules as they are applied, since when, and what is wrong with a newer version; reading them is enough."""
    shop.rules('[[rules]]\nname = "r"\ncurrencies = ["EUR"]\namount_from = 5\nweights = { <broad> = 1, <narrow> = 2 }')
    headers = bearer(await shop.api.key("read"))
    told = (await shop.api.stranger.get("/v1/routes", headers=headers)).json()
    assert (told["file"], told["error"], told["max_gateways"]) == (str(shop.file), None, 2)
    assert told["default"] == [shop.broad, shop.narrow, shop.at_once]
    assert told["rules"] == [
        {
            "number": 1,
            "name": "r",
            "summary": "EUR from 0.05",
            "currencies": ["EUR"],
            "amount_from": 5,
            "amount_to": None,
            "countries": [],
            "methods": [],
            "metadata": {},
            "gateways": [shop.broad, shop.narrow],
            "weights": [1, 2],
        }
    ]
    shop.file.write_text('default = ["nobody"]')
    after = (await shop.api.stranger.get("/v1/routes", headers=headers)).json()
    assert "default: 'nobody' is no gateway that is on" in after["error"]
    assert after | {"error": None} == told
    assert (await shop.api.stranger.post("/v1/routes/explain", headers=headers, json=order())).status_code == 200


async def test_one_gateway_without_rules_is_no_decision(database_url: str, tmp_path: Path) -> None:
    """With nothing to choose from, the timeline says what it always said."""
    async with several(database_url, tmp_path) as shop:
        services = shop.api.services
        for name in (shop.narrow, shop.at_once):
            del services.gateways[name]  # type: ignore[attr-defined]
        shop.rules('default = ["<broad>"]')
        created = (await shop.create()).json()
        rows = (await shop.api.client.get(f"/v1/checkouts/{created['id']}/timeline")).json()["data"]
        assert "route" not in json.dumps(rows[0]["details"])
