"""The published schemas: complete, unbroken, and true of what the books write."""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy.ext.asyncio import AsyncEngine

from devstack.layout import ROOT
from domain.checkout import CheckoutStatus
from domain.states import CheckoutState
from domain.timeline import Entry, EventType, terms_of
from events.broker.contract import Message
from events.compatibility import breaks
from events.models import MODELS
from events.outbox import event_of
from events.schemas import ENVELOPE, broken, published, schemas
from events.wire import to_message
from ledger.books import Books
from ledger.engine import create_engine
from ledger.outbox_store import Outbox
from tests.events.schemas.telling import mistold
from tests.ledger.samples import NOW, checkout

Schema = dict[str, Any]
SUCCEEDED = "payment.succeeded.v1.json"


def test_every_type_is_described_and_published() -> None:
    """One file for each type and one for the envelope, each a schema, and each as the code has it now."""
    assert set(MODELS) == set(EventType)
    assert set(published()) == {f"{name}.v1.json" for name in [*EventType, ENVELOPE]}
    assert published() == schemas(), "run python -m events.schemas --write"
    for schema in published().values():
        Draft202012Validator.check_schema(schema)


def test_the_page_is_the_code() -> None:
    """What docs/events.md says of each type is what its model, and with it /asyncapi, says."""
    page = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| ([a-z_]+\.[a-z_]+) \| (.+) \|$", page, re.MULTILINE))
    assert told == {str(event_type): model.__doc__ for event_type, model in MODELS.items()}


def test_nothing_that_is_published_is_broken() -> None:
    """Whoever reads by the published schemas can read what the models describe now."""
    assert broken() == []


def _drop(name: str) -> Callable[[Schema], None]:
    def change(schema: Schema) -> None:
        del schema["properties"][name]
        schema["required"] = [other for other in schema["required"] if other != name]

    return change


def _set(path: str, value: object) -> Callable[[Schema], None]:
    def change(schema: Schema) -> None:
        *way, last = path.split("/")
        for step in way:
            schema = schema[step]
        schema[last] = value

    return change


def _renamed(schema: Schema) -> None:
    schema["properties"]["sum"] = schema["properties"].pop("amount")
    schema["required"] = ["sum" if name == "amount" else name for name in schema["required"]]


def _not_required(schema: Schema) -> None:
    schema["required"].remove("amount")


def _more_states(schema: Schema) -> None:
    schema["$defs"]["CheckoutState"]["enum"].append("pondering")


def _deeply_gone(schema: Schema) -> None:
    del schema["$defs"]["PaidDetails"]["properties"]["evidence"]


def _no_longer_open(schema: Schema) -> None:
    schema["$defs"]["PaidDetails"]["additionalProperties"]["anyOf"].append({"type": "object"})


_AMOUNT = "properties/amount"
BREAKS: dict[str, tuple[Callable[[Schema], None], str]] = {
    "a field that is gone": (_drop("amount"), "data.amount is gone"),
    "an optional field that is gone": (_drop("parent_id"), "data.parent_id is gone"),
    "a field of an object in it that is gone": (_deeply_gone, "data.details.evidence is gone"),
    "another name": (_renamed, "data.amount is gone"),
    "a field that may be missing now": (_not_required, "data.amount may be missing"),
    "another type": (_set(f"{_AMOUNT}/type", "string"), "data.amount changes its type"),
    "one more type": (_set(f"{_AMOUNT}/type", ["integer", "null"]), "data.amount changes its type"),
    "no type at all": (_set(_AMOUNT, {"minimum": 0}), "data.amount changes its type"),
    "null where there was none": (
        _set(_AMOUNT, {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}),
        "data.amount may now be",
    ),
    "a value more in a closed list": (_more_states, "data.state takes values"),
    "a list that is closed no more": (_set("$defs/CheckoutState", {"type": "string"}), "data.state takes values"),
    "a lower limit": (_set(f"{_AMOUNT}/minimum", -1), "data.amount: minimum"),
    "no limit": (_set(_AMOUNT, {"type": "integer"}), "data.amount: minimum"),
    "another pattern": (_set("properties/currency/pattern", "^.*$"), "data.currency: pattern"),
    "another format": (_set("properties/at/format", "date"), "data.at: format"),
    "something else in further fields": (_no_longer_open, "data.details takes further fields"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_breaking_change_is_found(name: str) -> None:
    """Each kind of it, by the path of what it breaks."""
    change, told = BREAKS[name]
    changed = copy.deepcopy(published()[SUCCEEDED])
    change(changed)
    assert changed != published()[SUCCEEDED]
    assert any(what.startswith(told) for what in breaks(published()[SUCCEEDED], changed))


def test_a_type_that_is_gone_is_a_break() -> None:
    """Whoever waits for it would wait for ever."""
    assert breaks(published()[SUCCEEDED], None) == ["it is gone"]


def _added(schema: Schema) -> None:
    schema["properties"]["tip"] = {"type": "integer"}
    schema["required"].append("tip")


def _one_state_less(schema: Schema) -> None:
    schema["$defs"]["CheckoutState"]["enum"].remove("expired")


ALLOWED: dict[str, Callable[[Schema], None]] = {
    "nothing": lambda schema: None,
    "other words": _set(f"{_AMOUNT}/description", "The sum."),
    "a new field": _added,
    "a value less": _one_state_less,
    "a higher limit": _set(f"{_AMOUNT}/minimum", 1),
    "one more limit": _set(f"{_AMOUNT}/maximum", 10**12),
    "a field that is always there now": lambda schema: schema["required"].append("parent_id"),
    "null no more": _set("properties/parent_id", {"type": "string", "pattern": "^[A-Za-z0-9_.:/-]{1,200}$"}),
    "a new detail": _set("$defs/PaidDetails/properties/fee", {"type": "integer"}),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_breaks_nobody_is_let_through(name: str) -> None:
    """Additions and narrower values."""
    changed = copy.deepcopy(published()[SUCCEEDED])
    ALLOWED[name](changed)
    assert breaks(published()[SUCCEEDED], changed) == []


def test_publishing_refuses_to_break() -> None:
    """`--write` says what would break and writes nothing."""
    script = (
        "import runpy, sys, pathlib\n"
        "import events.models as models\n"
        "models.PaymentSucceeded.model_fields.pop('order_id')\n"
        "models.PaymentSucceeded.model_rebuild(force=True)\n"
        "sys.argv = ['schemas', '--write']\n"
        "runpy.run_module('events.schemas', run_name='__main__')\n"
    )
    before = published()
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "payment.succeeded.v1.json: data.order_id is gone" in ended.stderr
    assert published() == before


async def test_the_envelope_is_as_published(books: Books, engine: AsyncEngine) -> None:
    """What the relay sends of a checkout's first row fits the envelope's schema, and its data that of its type."""
    made = checkout()
    at = datetime.now(UTC)
    terms = terms_of(made)
    status = CheckoutStatus(CheckoutState.PROCESSING)
    await books.create_checkout(made, Entry("created", status, "api", NOW, terms, (), EventType.CHECKOUT_CREATED))
    rows = [row async for row in Outbox(engine).since(at) if row.subject == made.id]
    message: Message = to_message(event_of(rows[0]))
    sent = json.loads(message.body)
    Draft202012Validator(published()["envelope.v1.json"]).validate(sent)
    Draft202012Validator(published()["checkout.created.v1.json"]).validate(sent["data"])


async def test_a_fact_that_fits_no_schema_is_found(fresh_database_url: str) -> None:
    """The check that the sagas' tests end with does find what is wrong."""
    engine = create_engine(fresh_database_url)
    made = checkout()
    status = CheckoutStatus(CheckoutState.PROCESSING)
    entry = Entry("created", status, "api", NOW, {"amount": 1}, (), EventType.CHECKOUT_CREATED)
    await Books(engine).create_checkout(made, entry)
    await engine.dispose()
    assert await mistold(fresh_database_url) == [
        "checkout.created: $.details: 'capture' is a required property",
        "checkout.created: $.details: 'currency' is a required property",
        "checkout.created: $.details: 'gateway' is a required property",
    ]
