"""The shop, which calls our API, and the gateways' side: customers at pages, and a hand that makes gateways stumble."""

from datetime import date
from typing import Any
from urllib.parse import urlsplit

import httpx

Json = dict[str, Any]


class StoryError(Exception):
    """A step of a scenario did not go as promised; the message says what was seen instead."""


class Shop:
    """Calls the API with an API key, as a shop's server does."""

    def __init__(self, url: str, api_key: str) -> None:
        headers = {"Authorization": f"Bearer {api_key}"}
        self._client = httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=15)
        # A stream is silent for as long as nothing happens, and keeps its connection to itself.
        own, patient = httpx.Limits(max_connections=None), httpx.Timeout(15, read=60)
        self.streams = httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=patient, limits=own)

    async def close(self) -> None:
        """Close the connections."""
        await self.streams.aclose()
        await self._client.aclose()

    async def post(self, path: str, body: Json | None = None, key: str | None = None) -> httpx.Response:
        """Any POST below /v1, with an idempotency key where one is given; the caller judges the answer."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self._client.post(f"/v1{path}", json=body, headers=headers)

    async def listing(self, path: str) -> list[Json]:
        """The first page of any list below /v1."""
        return list((await self._get(path))["data"])

    async def remove(self, path: str) -> None:
        """Any DELETE below /v1."""
        accepted(await self._client.delete(f"/v1{path}"), 200)

    async def checkout(self, checkout_id: str) -> Json:
        """The checkout as it stands now."""
        return await self._get(f"/checkouts/{checkout_id}")

    async def timeline(self, checkout_id: str) -> list[Json]:
        """What happened to it."""
        return list((await self._get(f"/checkouts/{checkout_id}/timeline"))["data"])

    async def postings(self, checkout_id: str) -> list[Json]:
        """The money that moved, in double entry."""
        return list((await self._get(f"/checkouts/{checkout_id}/postings"))["data"])

    async def gateways(self) -> list[Json]:
        """What gateways there are, and how their breakers stand."""
        return list((await self._get("/gateways"))["data"])

    async def refunds(self, checkout_id: str) -> list[Json]:
        """The refunds that were asked for after the sale, oldest first."""
        return list((await self._get(f"/checkouts/{checkout_id}/refunds"))["data"])

    async def disputes(self, checkout_id: str) -> list[Json]:
        """What the customer disputes of it, newest first."""
        return list((await self._get("/disputes", checkout=checkout_id))["data"])

    async def cases(self, checkout_id: str, open_: str = "all") -> list[Json]:
        """What waited for a person, oldest first; `open_` is true, false or all."""
        return list((await self._get("/cases", checkout=checkout_id, open=open_))["data"])

    async def daily(self, since: date) -> list[Json]:
        """What analytics has added up of every day from then on, by gateway and currency."""
        return list((await self._get("/analytics/daily", **{"from": since.isoformat()}))["data"])

    async def events(self, **which: str) -> list[Json]:
        """The gateways' events as they are stored, newest first."""
        return list((await self._get("/webhooks", **which))["data"])

    async def _get(self, path: str, **query: str) -> Json:
        answer = await self._client.get(f"/v1{path}", params=query)
        return accepted(answer, 200)


class GatewaySide:
    """The sandbox as customers and its operators see it."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=15)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def visit(self, page: str, form: dict[str, str]) -> httpx.Response:
        """Send a page's form, as a browser does; `page` is the whole address or its path."""
        return await self._client.post(urlsplit(page).path, data=form)

    async def control(self, path: str, body: Json | None = None) -> Json:
        """What only an operator of the sandbox can do."""
        return accepted(await self._client.post(f"/sandbox{path}", json=body or {}), 200, 201)

    async def fired(self, fault_id: str) -> int:
        """How often a fault has struck."""
        faults = accepted(await self._client.get("/sandbox/faults"), 200)["data"]
        return next(int(fault["fired"]) for fault in faults if fault["id"] == fault_id)

    async def mend(self, fault_id: str) -> None:
        """Take a fault back."""
        await self._client.delete(f"/sandbox/faults/{fault_id}")

    async def rows(self, path: str, **query: str) -> list[Json]:
        """A list of the sandbox: its books or its deliveries."""
        return list(accepted(await self._client.get(f"/sandbox{path}", params=query), 200)["data"])


def accepted(answer: httpx.Response, *statuses: int) -> Json:
    """The answer's body. Raises StoryError for any other status."""
    if answer.status_code not in statuses:
        raise StoryError(f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}")
    body = answer.json()
    assert isinstance(body, dict), "every answer here is an object"
    return body
