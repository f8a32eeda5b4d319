"""Several gateways behind one API, as far as choosing among them goes: names, capabilities, rules and breakers."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import httpx

from config.routes import Routes
from domain.breaker import BreakerPolicy, BreakerState, Tally, second_of
from domain.checkout import CaptureMode
from domain.currency import CurrencyRule
from gateways.contract import Capabilities, Modifications, Verb, WebhookAuthentication

from .conftest import Api, order, serving

BROAD = Capabilities(
    live=False,
    key_lifetime=dict.fromkeys(Verb, timedelta(days=7)),
    hold_lifetime=timedelta(days=7),
    currencies={"EUR": CurrencyRule(2), "USD": CurrencyRule(2), "ISK": CurrencyRule(2, step=100)},
    capture_modes=frozenset(CaptureMode),
    partial_capture=True,
    several_captures=True,
    void_before_authorization=True,
    modifications=Modifications.SYNCHRONOUS,
    webhook_authentication=WebhookAuthentication.HMAC_BODY,
    lookup_by_reference=True,
    reauthorize_after=timedelta(days=4),
    answers_disputes=frozenset({Verb.SUBMIT_EVIDENCE, Verb.ACCEPT_DISPUTE}),
)
# Its keys live six hours and its holds three days; it counts whole euros, from ten on, captures once, and does not
# talk about disputes with programs.
NARROW = replace(
    BROAD,
    key_lifetime=dict.fromkeys(Verb, timedelta(hours=6)),
    hold_lifetime=timedelta(days=3),
    currencies={"EUR": CurrencyRule(0, smallest=10)},
    several_captures=False,
    reauthorize_after=None,
    answers_disputes=frozenset(),
)
# It cannot hold money, and forgets payments that nobody pays within an hour.
AT_ONCE = replace(BROAD, capture_modes=frozenset({CaptureMode.AUTOMATIC}), payable_for=timedelta(hours=1))


@dataclass(frozen=True)
class Named:
    """A gateway of which the API sees its name and what it can do."""

    name: str
    capabilities: Capabilities = BROAD


@dataclass
class Several:
    """An API whose gateways have names of this test's own, so that nobody else touches their breakers."""

    api: Api
    file: Path
    broad: str
    narrow: str
    at_once: str
    text: str = field(default="", init=False)

    def rules(self, text: str) -> None:
        """Put these rules in force at the next decision; `<broad>`, `<narrow>`, `<at_once>` are the gateways."""
        for name in ("broad", "narrow", "at_once"):
            text = text.replace(f"<{name}>", getattr(self, name))
        self.file.write_text(text)

    async def create(self, **changes: object) -> httpx.Response:
        """POST a checkout."""
        return await self.api.client.post("/v1/checkouts", json=order(currency="EUR") | changes)

    async def explain(self, **changes: object) -> httpx.Response:
        """Ask what would be decided."""
        return await self.api.client.post("/v1/routes/explain", json=order(currency="EUR") | changes)

    async def trip(self, gateway: str) -> None:
        """Calls to create payments at this gateway failed too often."""
        breakers, policy = self.api.services.breakers, BreakerPolicy()
        await breakers.change(
            gateway, "create", lambda b, now: b.after_calls(now, [Tally(second_of(now), 0, 9)], "Failure", policy)
        )
        assert (await breakers.read()).of(gateway, "create").state is BreakerState.OPEN

    async def force(self, gateway: str, reason: str = "maintenance") -> None:
        """An operator takes this gateway out of service."""
        await self.api.services.breakers.change(gateway, "create", lambda b, now: b.forced(now, reason), "key_x")


@asynccontextmanager
async def several(database_url: str, folder: Path) -> AsyncIterator[Several]:
    """An API with three gateways and a file of rules that has none yet."""
    mark = secrets.token_hex(3)
    able = {f"broad_{mark}": BROAD, f"narrow_{mark}": NARROW, f"at_once_{mark}": AT_ONCE}
    gateways = {name: Named(name, capabilities) for name, capabilities in able.items()}
    file = folder / f"routes-{mark}.toml"
    file.write_text("")
    async with serving(database_url, gateways=gateways, routes=Routes(file, [*gateways])) as api:
        yield Several(api, file, *gateways)
