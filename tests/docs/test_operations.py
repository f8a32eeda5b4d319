"""What docs/operations.md lists is what there is: figures, what becomes of events, cases and what may be ordered."""

import re
from datetime import UTC, datetime

from api.meter import Reading
from devstack.layout import ROOT
from domain.case import CaseAction, CaseKind
from events.relay.meter import RelayMeter
from events.subscribers.meter import SubscriberMeter
from ledger.contract import EventSource
from ledger.figures import Figures

TEXT = (ROOT / "docs/operations.md").read_text()


def section(title: str) -> str:
    """The part of the page under this heading."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found.group(1)


def first_cells(text: str) -> str:
    """The first cells of the tables in this text."""
    return "\n".join(re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE))


def test_every_metric_is_described() -> None:
    """The table of metrics has exactly the figures that `/metrics` of API, relay and subscribers tell."""
    figures = Figures(0, None, 0, None, 0, {}, None, 0, None)
    reading = Reading(datetime(2026, 11, 22, tzinfo=UTC), figures, {"gateway": {EventSource.WEBHOOK: 1}})
    told = {family.name for family in reading.collect()}
    for registry in (RelayMeter().registry, SubscriberMeter("orders").registry):
        told |= {f"{one.name}_total" if one.type == "counter" else one.name for one in registry.collect()}
    assert set(re.findall(r"paysaga_[a-z_]+", first_cells(section("Metrics")))) == told


def test_alerts_are_about_figures_that_there_are() -> None:
    """No alert waits for a figure that nobody tells."""
    named = set(re.findall(r"paysaga_[a-z_]+", section("Alerts worth having")))
    assert named
    assert named <= set(re.findall(r"paysaga_[a-z_]+", first_cells(section("Metrics"))))


def test_every_outcome_of_an_event_is_described() -> None:
    """What the dispatcher writes down about an event has a row."""
    outcomes = set(re.findall(r'return "(\w+)"', (ROOT / "api/deliveries.py").read_text()))
    assert {"delivered", "late", "dispute"} <= outcomes
    described = set(re.findall(r"`(\w+)`", first_cells(section("Webhooks that wait"))))
    assert outcomes <= described


def test_every_action_is_described() -> None:
    """The table of actions has exactly those that a person may order."""
    assert set(re.findall(r"`(\w+)`", first_cells(section("Cases")))) == {str(action) for action in CaseAction}


def test_every_kind_of_case_is_described() -> None:
    """Whoever finds a case finds its kind on the page, with what to do about it."""
    # No workflow opens hold_lost: a hold that cannot be made anew goes on to its end.
    opened = {str(kind) for kind in CaseKind if kind is not CaseKind.HOLD_LOST}
    assert opened <= set(re.findall(r"`(\w+)`", first_cells(section("See why"))))
