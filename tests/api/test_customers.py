"""Who buys: told to those who write to customers, and to nobody else. What the shop noted: told to the shop."""

import pytest

from .conftest import Api, bearer

ADA = {"email": "ada@shop.example"}
TENDERS = [{"gateway": "stripe", "amount": 3000}, {"gateway": "stripe", "amount": 1200}]


async def customer(api: Api, checkout_id: str) -> tuple[int, dict[str, object]]:
    """What a key that may only write to customers is told."""
    headers = bearer(await api.key("customers"))
    answer = await api.stranger.get(f"/v1/checkouts/{checkout_id}/customer", headers=headers)
    return answer.status_code, answer.json()


async def test_the_address_is_told_to_who_has_the_scope(api: Api) -> None:
    """The address of the checkout, and null where the shop gave none."""
    made, bare = (await api.create(customer=ADA)).json(), (await api.create()).json()
    assert await customer(api, made["id"]) == (200, {"id": made["id"], "email": "ada@shop.example"})
    assert await customer(api, bare["id"]) == (200, {"id": bare["id"], "email": None})


@pytest.mark.parametrize("scopes", [("read", "write", "refund", "operate", "admin"), ("read",)])
async def test_no_other_scope_will_do(api: Api, scopes: tuple[str, ...]) -> None:
    """Reading and changing checkouts is not reading who buys; the answer names what is missing."""
    made = (await api.create(customer=ADA)).json()
    headers = bearer(await api.key(*scopes))
    answer = await api.stranger.get(f"/v1/checkouts/{made['id']}/customer", headers=headers)
    assert (answer.status_code, answer.json()["scope"]) == (403, "customers")
    assert "ada@" not in answer.text


async def test_the_scope_tells_nothing_else(api: Api) -> None:
    """Who may write to customers neither sees checkouts nor changes them."""
    made = (await api.create(customer=ADA)).json()
    headers = bearer(await api.key("customers"))
    for method, path in (("GET", ""), ("GET", "/timeline"), ("POST", "/cancel")):
        answer = await api.stranger.request(method, f"/v1/checkouts/{made['id']}{path}", headers=headers)
        assert answer.status_code == 403


async def test_no_other_answer_names_the_customer(api: Api) -> None:
    """Not the checkout, not the listing, not the timeline."""
    made = (await api.create(customer=ADA)).json()
    paths = (made["id"], f"?order_id={made['order_id']}", f"{made['id']}/timeline", f"{made['id']}/postings")
    for path in paths:
        answer = await api.client.get(f"/v1/checkouts/{path}".replace("/?", "?"))
        assert answer.status_code == 200
        assert "ada@" not in answer.text


async def test_a_tender_has_the_customer_of_its_whole(api: Api) -> None:
    """Nothing of the customer's is kept with the tender, and yet it can be asked for who pays it."""
    made = (await api.create(customer=ADA, tenders=TENDERS)).json()
    for tender in made["tenders"]:
        assert await customer(api, tender["id"]) == (200, {"id": tender["id"], "email": "ada@shop.example"})


@pytest.mark.parametrize("checkout_id", ["chk_" + "0" * 24, "chk_x", "x"])
async def test_of_no_checkout_there_is_no_customer(api: Api, checkout_id: str) -> None:
    """A problem document, as everywhere."""
    status, problem = await customer(api, checkout_id)
    assert (status, problem["code"]) == (404, "checkout_not_found")


async def test_the_shop_sees_its_own_notes(api: Api) -> None:
    """Metadata comes back as it was sent, with the answer, the checkout and the listing; a tender has none."""
    noted = {"sku": "mug", "quantity": "2", "note": "žluťoučký 🐎"}
    made = (await api.create(metadata=noted, tenders=TENDERS)).json()
    seen = (await api.client.get(f"/v1/checkouts/{made['id']}")).json()
    listed = (await api.client.get(f"/v1/checkouts?order_id={made['order_id']}")).json()["data"][0]
    tender = (await api.client.get(f"/v1/checkouts/{made['tenders'][0]['id']}")).json()
    assert [one["metadata"] for one in (made, seen, listed, tender)] == [noted, noted, noted, None]
    assert (await api.create()).json()["metadata"] is None


async def test_it_is_seen_whether_the_shop_is_waited_for(api: Api) -> None:
    """The time that the shop has for its word; null where no word is waited for, and of a tender."""
    asked = {"required": True, "within_seconds": 600}
    made = (await api.create(confirmation=asked)).json()
    split = (await api.create(confirmation=asked, tenders=TENDERS)).json()
    tender = (await api.client.get(f"/v1/checkouts/{split['tenders'][0]['id']}")).json()
    bare = (await api.create()).json()
    seen = [one["confirmation"] for one in (made, split, tender, bare)]
    assert seen == [{"within_seconds": 600}, {"within_seconds": 600}, None, None]


async def test_the_description_tells_of_it(api: Api) -> None:
    """The route, its answer and its errors are in the OpenAPI document, and the notes in the checkout's."""
    document = (await api.stranger.get("/openapi.json")).json()
    route = document["paths"]["/v1/checkouts/{checkout_id}/customer"]["get"]
    assert {"200", "401", "403", "404", "503"} <= set(route["responses"])
    assert route["security"] == [{"api_key": []}]
    shapes = document["components"]["schemas"]
    assert set(shapes["CustomerView"]["properties"]) == {"id", "email"}
    assert {"metadata", "confirmation"} <= set(shapes["CheckoutView"]["properties"])
