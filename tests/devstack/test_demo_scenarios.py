"""The demo's cast: every scenario at every gateway where it has a meaning, and a reason wherever it has none."""

import asyncio
from pathlib import Path

import pytest

from config.routes import read_rules
from devstack.demo.__main__ import SETTINGS
from devstack.demo.accounts import ACCOUNTS
from devstack.demo.across import ACROSS, ACROSS_ALONE
from devstack.demo.crash import Crash
from devstack.demo.crash import scenarios as crash_scenarios
from devstack.demo.customers import MANNERS, Call, Means
from devstack.demo.evidence import Kind
from devstack.demo.hours import ACTS
from devstack.demo.meeting import Meeting
from devstack.demo.promise import COMPLETED, VOIDED
from devstack.demo.scenario import NAMES, Scenario, only
from devstack.demo.scenarios import scenarios
from devstack.demo.settling import Settling
from domain.currency import EXPONENTS
from domain.money import Money
from domain.saga import SagaPolicy
from gateways.registry import REGISTRY

HOURS = tuple(act.scenario for act in ACTS)
EVERY = (*scenarios(Settling()), *crash_scenarios(Crash()), *ACROSS, *ACROSS_ALONE, *HOURS)
AFTER_SALE = {
    "captured in three parts, the rest released",
    "two refunds race for the same money",
    "two equal refunds at once are two",
    "dispute lost after a partial refund",
    "refund fails later, two people write it off",
}


async def _nothing(_: object) -> None:
    """A story without a story."""


def test_the_demo_has_every_gateway() -> None:
    """What is registered is played, with its customers' manners and a way to ask its own API."""
    assert set(NAMES) == set(REGISTRY) == set(MANNERS) == set(ACCOUNTS)


def test_scenarios_are_told_apart_by_their_titles() -> None:
    """The board and the table go by titles; refunds and expiries are among them."""
    titles = [scenario.title for scenario in EVERY]
    assert len(set(titles)) == len(titles) >= 40
    assert {"completed", "refunded", "expired", "canceled"} <= {scenario.promise.state for scenario in EVERY}


@pytest.mark.parametrize("gateway", NAMES)
def test_each_gateway_meets_most_scenarios(gateway: str) -> None:
    """No gateway is spared: faults, crashes and refunds are told at each."""
    told = [scenario for scenario in EVERY if gateway in scenario.gateways]
    assert len(told) >= 30
    wanted = {"worker killed during the capture", "refund done, answered 500"} | AFTER_SALE
    assert wanted <= {scenario.title for scenario in told}


def test_what_is_not_told_has_a_reason() -> None:
    """Every gateway that a scenario leaves out is named with a sentence."""
    for scenario in EVERY:
        assert set(scenario.absent) <= set(NAMES), scenario.title
        assert all(len(reason) > 10 for reason in scenario.absent.values()), scenario.title
        assert set(scenario.instead) <= set(scenario.gateways), scenario.title
        assert scenario.gateways, scenario.title
        assert scenario.currency in EXPONENTS


def test_exceptions_are_made_for_their_gateways_alone() -> None:
    """A promise for one gateway holds there; where everything is held first, what is taken was held."""
    scenario = Scenario("paid", COMPLETED, _nothing, absent=only("stripe", "so it is"), instead={"stripe": VOIDED})
    assert scenario.gateways == ("stripe",)
    assert scenario.promise_at("stripe") == VOIDED
    held = {name: scenario.promise_at(name).held for name in NAMES if name != "stripe"}
    assert held == {"paypal": False, "adyen": True}


def test_customers_can_pay_at_every_gateway() -> None:
    """What every scenario needs, every gateway has."""
    needed = {Means.GOOD, Means.REFUSED, Means.NO_FUNDS, Means.SLOW_REFUND, Means.FAILING_REFUND}
    for name, manners in MANNERS.items():
        assert needed <= set(manners.means), name
        assert {Call.CREATE, Call.CAPTURE, Call.REFUND} <= set(manners.calls), name


def test_what_is_promised_after_a_sale_adds_up() -> None:
    """Parts and what is released make the hold; what goes back, by refund or dispute, is no more than was taken."""
    for scenario in (scenario for scenario in EVERY if scenario.after):
        promise, whole = scenario.promise, scenario.amount_minor
        sums = {kind: sum(promise.of_kind(kind, whole)) for kind in Kind}
        assert sums[Kind.TAKE] + sums[Kind.RELEASE] == whole, scenario.title
        gone = sums[Kind.REFUND_FINAL] + sums[Kind.WITHDRAWN] - sums[Kind.REINSTATED]
        assert 0 <= gone <= sums[Kind.TAKE], scenario.title


def test_a_large_refund_takes_two() -> None:
    """The amount that two people write off is above what the policy leaves to one, and the others' are below."""
    for scenario in (scenario for scenario in EVERY if scenario.after):
        needs_two = SagaPolicy().needs_two(Money(scenario.amount_minor, scenario.currency))
        assert needs_two == ("two people" in scenario.title), scenario.title


def test_all_who_wait_for_the_settling_are_counted() -> None:
    """One that were not would settle everything before the others have been seen pending."""
    settling = Settling()
    told = [scenario for scenario in scenarios(settling) if scenario.play in settling.waiting]
    assert len(told) == len(settling.waiting) == 4


def test_the_rules_of_the_demo_can_be_read() -> None:
    """The file that the demo's API is told of is good for the gateways that the demo has."""
    path = Path(SETTINGS["ROUTES_FILE"])
    book = read_rules(path.read_text(), str(path), NAMES)
    assert [rule.name for rule in book.rules] == ["large in euro", "wallets"]
    assert book.default == NAMES


@pytest.mark.parametrize(
    ("action", "found"),
    [
        ({"type": "confirm", "client_secret": "pi_1_secret_x", "url": "http://127.0.0.1:1/pay/pi_1_secret_x"}, "pi_1"),
        ({"type": "redirect", "url": "http://127.0.0.1:1/paypal/approve/5O190127TN364715T"}, "5O190127TN364715T"),
        ({"type": "redirect", "url": "http://127.0.0.1:1/adyen/pay/PL0123456789ABCDEF"}, "PL0123456789ABCDEF"),
    ],
)
def test_the_payment_is_known_by_the_next_step(action: dict[str, str], found: str) -> None:
    """Where the customer is sent names the payment at its gateway."""
    readers = dict(zip(("pi_1", "5O190127TN364715T", "PL0123456789ABCDEF"), NAMES, strict=True))
    assert MANNERS[readers[found]].payment_id(action) == found


async def test_a_meeting_waits_for_all() -> None:
    """Nobody goes on before the last has come, and one that gives up keeps nobody waiting."""
    meeting = Meeting()
    meeting.parts = 2
    waiting = asyncio.create_task(meeting.all_at("there"))
    await meeting.reach("there")
    await asyncio.sleep(0)
    assert not waiting.done()
    await meeting.reach("there")
    await waiting
    await meeting.give_up("elsewhere")
    await meeting.all_at("elsewhere")
