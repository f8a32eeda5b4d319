"""How the parts that carry events are started."""

from pathlib import Path

import pytest

from config.environment import FromEnvironment
from config.settings import BrokerSettings, DatabaseSettings, MailSettings, MetricsSettings, ShopApiSettings
from devstack import eventing
from devstack.inprocess import as_environment
from devstack.layout import Layout
from devstack.ports import DEFAULTS
from devstack.settings import Addresses, StackOptions, product_environment
from devstack.stack import Stack
from events.subscribers.registry import NAMES

LAYOUT = Layout(Path("/data"))
ADDRESSES = Addresses(
    "http://127.0.0.1:8081",
    "127.0.0.1:7233",
    None,
    None,
    "postgresql://h/d",
    broker="nats://127.0.0.1:4223",
    smtp="smtp://127.0.0.1:2526",
    metrics={name: f"http://127.0.0.1:{9100 + number}/metrics" for number, name in enumerate(eventing.MEASURED, 1)},
)
KEYS = {"orders": "psk_orders", "notifications": "psk_notifications"}


def _environment(name: str) -> dict[str, str]:
    environment = product_environment(StackOptions(LAYOUT), ADDRESSES, {})
    return dict(eventing.spec(name, LAYOUT, ADDRESSES, environment, KEYS).environment)


def _read(name: str, settings: type[FromEnvironment]) -> dict[str, object]:
    with as_environment(_environment(name)):
        return settings.read().model_dump()


def test_every_subscriber_there_is_runs() -> None:
    """The product's subscribers are the stack's; each part has a port of its own where it listens."""
    assert set(eventing.SUBSCRIBERS) == set(NAMES)
    assert {"broker", "smtp", *eventing.MEASURED} <= set(DEFAULTS)
    assert len(set(DEFAULTS.values())) == len(DEFAULTS)


@pytest.mark.parametrize("name", eventing.MEASURED)
def test_everybody_finds_books_and_broker(name: str) -> None:
    """Relay and subscribers read the addresses of this stack, and answer /metrics at different ports."""
    assert _read(name, DatabaseSettings)["database_url"] == "postgresql://h/d"
    assert "4223" in _environment(name)["BROKER_URL"]
    assert set(BrokerSettings.model_fields) <= set(_read(name, BrokerSettings))
    port = 9101 + eventing.MEASURED.index(name)
    assert _read(name, MetricsSettings) == {"metrics_host": "127.0.0.1", "metrics_port": port}


@pytest.mark.parametrize(("name", "key"), KEYS.items())
def test_who_calls_the_api_has_its_own_key(name: str, key: str) -> None:
    """At the address where the API is, with the key that was made for it."""
    told = _read(name, ShopApiSettings)
    assert told["paysaga_api_url"] == ADDRESSES.api
    assert _environment(name)["PAYSAGA_API_KEY"] == key


@pytest.mark.parametrize("name", ["relay", "analytics", "webhooks"])
def test_who_does_not_call_it_has_none(name: str) -> None:
    """No key lies where nobody needs it."""
    assert "PAYSAGA_API_KEY" not in _environment(name)


def test_mails_go_to_the_mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever mail server our own environment names: no customer is written to from a development machine."""
    monkeypatch.setenv("SMTP_URL", "smtps://u:p@mail.example:465")
    told = _environment("notifications")
    assert told["SMTP_URL"] == ADDRESSES.smtp
    assert _read("notifications", MailSettings)["mail_shop"] == eventing.SHOP
    assert "2526" in eventing.mailbox(LAYOUT, ADDRESSES, {}).command


def test_a_broker_of_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    """BROKER_URL names one: then none of ours is started."""
    monkeypatch.delenv("BROKER_URL", raising=False)
    assert eventing.wanted(StackOptions(LAYOUT)) == eventing.PARTS
    monkeypatch.setenv("BROKER_URL", "amqp://guest@127.0.0.1:5672")
    assert eventing.outside_broker() == "amqp://guest@127.0.0.1:5672"
    assert {*eventing.wanted(StackOptions(LAYOUT))} == {*eventing.PARTS} - {eventing.BROKER}


def test_parts_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them, or all that there are for events."""
    monkeypatch.delenv("BROKER_URL", raising=False)
    without = StackOptions(LAYOUT, without=frozenset({"notifications"}))
    assert {*eventing.wanted(without)} == {*eventing.PARTS} - {"notifications"}
    assert eventing.wanted(StackOptions(LAYOUT, without=frozenset(eventing.PARTS))) == ()


def test_killing_what_does_not_run_is_refused(layout: Layout) -> None:
    """There is no such part: nothing is killed."""
    with pytest.raises(KeyError):
        Stack(StackOptions(layout), print).kill("notifications")
