"""Endpoints over HTTP: made, shown, changed, removed, their secrets rotated, and by whom."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.shop_webhooks import ShopWebhooks
from domain.timeline import EventType
from domain.webhook import MOST_ENDPOINTS
from ledger.endpoints import Endpoints
from ledger.engine import create_engine
from ledger.webhook_deliveries import WebhookDeliveries

from .conftest import Api, bearer, serving
from .resending import StandInRuns

PATH = "/v1/webhook-endpoints"


def wanted(**changes: object) -> dict[str, object]:
    """A request that fits."""
    return {"url": "https://shop.example/hook", "events": ["payment.succeeded"]} | changes


async def made(api: Api, **changes: object) -> dict[str, Any]:
    """A new endpoint as its creation was answered; it is not left behind enabled."""
    answer = await api.client.post(PATH, json=wanted(**changes))
    assert answer.status_code == 201, answer.text
    view = answer.json()
    assert isinstance(view, dict)
    return view


@pytest.fixture(autouse=True)
async def _none_left(api: Api) -> Any:
    """Endpoints are few: a test leaves none enabled."""
    yield
    for state in ("enabled", "disabled"):
        page = (await api.client.get(PATH, params={"state": state, "limit": 200})).json()
        for endpoint in page["data"]:
            await api.client.delete(f"{PATH}/{endpoint['id']}")


async def test_the_secret_is_shown_once(api: Api) -> None:
    """The answer to the creation has the secret, in the form of Standard Webhooks; no later answer has it."""
    created = await made(api, events=["payment.succeeded", "refund.created"])
    secret = created.pop("secret")
    assert secret.startswith("whsec_")
    assert (created["state"], created["events"]) == ("enabled", ["payment.succeeded", "refund.created"])
    assert [s["expires_at"] for s in created["secrets"]] == [None]
    for answer in (
        await api.client.get(f"{PATH}/{created['id']}"),
        await api.client.get(PATH),
        await api.client.post(f"{PATH}/{created['id']}", json={}),
    ):
        assert answer.status_code == 200
        assert secret not in answer.text
    assert (await api.client.get(f"{PATH}/{created['id']}")).json() == created


async def test_the_same_request_makes_one_endpoint(api: Api) -> None:
    """With an idempotency key, said twice: the same bytes, one endpoint; the key with another body is refused."""
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = await api.client.post(PATH, json=wanted(), headers=key)
    second = await api.client.post(PATH, json=wanted(), headers=key)
    assert (first.status_code, second.content) == (201, first.content)
    other = await api.client.post(PATH, json=wanted(events=["*"]), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len((await api.client.get(PATH)).json()["data"]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"events": ["payment.succeded"]},
        {"events": []},
        {"events": ["*", "payment.succeeded"]},
        {"events": "payment.succeeded"},
        {"events": [1]},
        {"events": None},
    ],
)
async def test_what_is_no_event_is_refused(api: Api, changes: dict[str, object]) -> None:
    """422 that names the field; for an unknown type it lists those that there are."""
    answer = await api.client.post(PATH, json=wanted(**changes))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("events")
    if changes["events"] == ["payment.succeded"]:
        assert all(event in answer.json()["detail"] for event in EventType)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hook",
        "https://127.0.0.1/hook",
        "https://10.1.2.3/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:127.0.0.1]/",
        "https://localhost/hook",
        "https://2130706433/",
        "https://user:pass@shop.example/",
        "https://shop.example:22/",
        "ftp://shop.example/",
        "shop.example",
        "",
        "https://shop.example/\x00",
        "https://shop.example/" + "x" * 2048,
        None,
        7,
    ],
)
async def test_an_address_that_is_never_called_is_refused(api: Api, url: object) -> None:
    """By the rules of every delivery, with 422 that names `url`; at the creation and at a change."""
    endpoint = await made(api)
    for answer in (
        await api.client.post(PATH, json=wanted(url=url)),
        *([] if url is None else [await api.client.post(f"{PATH}/{endpoint['id']}", json={"url": url})]),
    ):
        assert (answer.status_code, answer.json()["field"]) == (422, "url"), answer.text
    assert (await api.client.get(f"{PATH}/{endpoint['id']}")).json()["url"] == endpoint["url"]


async def test_this_machine_may_be_called_in_development(database_url: str) -> None:
    """Where the settings say development, and there only."""
    engine = create_engine(database_url)
    webhooks = ShopWebhooks(Endpoints(engine), WebhookDeliveries(engine), StandInRuns(), development=True)
    async with serving(database_url, shop_webhooks=webhooks) as api:
        await made(api, url="http://127.0.0.1:9999/hook")
    await engine.dispose()


async def test_a_member_nobody_knows_is_refused(api: Api) -> None:
    """A typing error is told, not passed over."""
    answer = await api.client.post(PATH, json=wanted(event=["*"]))
    assert (answer.status_code, answer.json()["field"]) == (422, "event")


async def test_endpoints_are_listed_in_pages(api: Api) -> None:
    """Oldest first; the cursor leads on, one that no page gave is refused."""
    ids = [(await made(api))["id"] for _ in range(3)]
    first = (await api.client.get(PATH, params={"limit": 2})).json()
    rest = (await api.client.get(PATH, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [e["id"] for e in (*first["data"], *rest["data"])] == ids
    assert rest["next_cursor"] is None
    wrong = await api.client.get(PATH, params={"cursor": "x"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "cursor")


async def test_an_endpoint_is_changed_disabled_and_enabled(api: Api) -> None:
    """Each member on its own; what is left out stays."""
    path = f"{PATH}/{(await made(api))['id']}"
    moved = (await api.client.post(path, json={"url": "https://shop.example/new"})).json()
    assert (moved["url"], moved["events"]) == ("https://shop.example/new", ["payment.succeeded"])
    other = (await api.client.post(path, json={"events": ["*"]})).json()
    assert (other["url"], other["events"]) == ("https://shop.example/new", ["*"])
    off = (await api.client.post(path, json={"state": "disabled"})).json()
    assert (off["state"], off["disabled_reason"]) == ("disabled", "by_hand")
    assert (await api.client.post(path, json={"state": "disabled"})).json()["disabled_at"] == off["disabled_at"]
    on = (await api.client.post(path, json={"state": "enabled"})).json()
    assert (on["state"], on["disabled_at"], on["disabled_reason"]) == ("enabled", None, None)
    assert (await api.client.post(path, json={"state": "removed"})).status_code == 422


async def test_a_removed_endpoint_is_still_there_to_be_read(api: Api) -> None:
    """Disabled for good: no longer listed unless asked for, never changed or given a secret again."""
    endpoint = await made(api)
    path = f"{PATH}/{endpoint['id']}"
    gone = await api.client.delete(path)
    assert (gone.status_code, gone.json()["state"]) == (200, "removed")
    assert (await api.client.delete(path)).json() == gone.json()
    assert (await api.client.get(path)).json() == gone.json()
    assert endpoint["id"] not in (await api.client.get(PATH)).text
    removed = await api.client.get(PATH, params={"state": "removed", "limit": 200})
    assert endpoint["id"] in removed.text
    for answer in (
        await api.client.post(path, json={"state": "enabled"}),
        await api.client.post(f"{path}/secrets"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "endpoint_removed")


async def test_two_secrets_are_active_after_a_rotation(api: Api) -> None:
    """The new one at once, the old one for a day; a third is refused until then, unless both others may end."""
    endpoint = await made(api)
    path = f"{PATH}/{endpoint['id']}/secrets"
    second = (await api.client.post(path)).json()
    assert second["secret"] not in ("", endpoint["secret"])
    newest, oldest = second["secrets"]
    assert newest["expires_at"] is None
    left = datetime.fromisoformat(oldest["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    third = await api.client.post(path)
    assert (third.status_code, third.json()["code"]) == (409, "secrets_active")
    assert datetime.fromisoformat(third.json()["expires_at"]) == datetime.fromisoformat(oldest["expires_at"])
    leaked = (await api.client.post(path, json={"overlap_seconds": 0})).json()
    assert [s["expires_at"] for s in leaked["secrets"]] == [None]
    assert leaked["secret"] not in (endpoint["secret"], second["secret"])


async def test_a_rotation_said_twice_is_one(api: Api) -> None:
    """With an idempotency key the same secret comes back; an answer that got lost costs the shop nothing."""
    path = f"{PATH}/{(await made(api))['id']}/secrets"
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = await api.client.post(path, headers=key)
    assert (await api.client.post(path, headers=key)).content == first.content
    for seconds in (-1, 8 * 86_400, "x", 1.5):
        refused = await api.client.post(path, json={"overlap_seconds": seconds})
        assert (refused.status_code, refused.json()["field"]) == (422, "overlap_seconds")


async def test_there_are_only_so_many(fresh_database_url: str) -> None:
    """One more than can be is 409; a removed one makes room."""
    async with serving(fresh_database_url) as api:
        for _ in range(MOST_ENDPOINTS):
            last = await made(api)
        over = await api.client.post(PATH, json=wanted())
        assert (over.status_code, over.json()["code"]) == (409, "too_many_endpoints")
        await api.client.delete(f"{PATH}/{last['id']}")
        await made(api)


async def test_reading_and_writing_are_scopes_of_their_own(api: Api) -> None:
    """Without a key 401; a key that reads changes nothing, one that writes reads nothing."""
    path = f"{PATH}/{(await made(api))['id']}"
    reader, writer = bearer(await api.key("read")), bearer(await api.key("write"))
    calls: list[tuple[str, str, dict[str, object] | None]] = [
        ("GET", PATH, None),
        ("GET", path, None),
        ("GET", f"{path}/deliveries", None),
        ("POST", PATH, wanted()),
        ("POST", path, {"state": "disabled"}),
        ("POST", f"{path}/secrets", {}),
        ("DELETE", path, None),
    ]
    for method, address, body in calls:
        allowed, refused = (reader, writer) if method == "GET" else (writer, reader)
        assert await status(api, method, address, body, {}) == 401
        assert await status(api, method, address, body, refused) == 403
        assert await status(api, method, address, body, allowed) in (200, 201)


async def status(api: Api, method: str, path: str, body: object, headers: dict[str, str]) -> int:
    """What a call is answered with."""
    answer: httpx.Response = await api.stranger.request(method, path, json=body, headers=headers)
    return answer.status_code


@pytest.mark.parametrize("id_", ["we_unknown", f"we_{'0' * 24}", "%00", "chk_" + "0" * 24])
async def test_an_unknown_endpoint_is_404(api: Api, id_: str) -> None:
    """Of whatever shape its id is, with every method."""
    for method, end, body in (
        ("GET", "", None),
        ("POST", "", {}),
        ("DELETE", "", None),
        ("POST", "/secrets", {}),
        ("GET", "/deliveries", None),
    ):
        answer = await api.client.request(method, f"{PATH}/{id_}{end}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "endpoint_not_found"), answer.text
