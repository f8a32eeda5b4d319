"""What the demo prints."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from devstack.demo.agreement import compare
from devstack.demo.board import Board
from devstack.demo.people import GatewaySide, Shop
from devstack.demo.plays import paid
from devstack.demo.promise import COMPLETED
from devstack.demo.report import (
    print_absent,
    print_agreement,
    print_broken,
    print_timeline,
    table_across,
    table_of,
    ui_url,
)
from devstack.demo.scenario import Scenario, Told, only
from devstack.demo.stage import Stage
from domain.states import CheckoutState
from domain.timeline import TimelineRow
from ledger.contract import Breach, Verification
from tests.devstack.test_demo_agreement import FAILED_OVER, GIVEN_BACK, NAMES, SOLD, SPLIT, evidence


@pytest.fixture
def console() -> Console:
    """A console that keeps what is printed, and is no terminal."""
    return Console(file=io.StringIO(), width=140)


def _printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _told(title: str = "paid", *trouble: str, gateway: str | None = "stripe", across: bool = False) -> Told:
    side = GatewaySide("http://127.0.0.1:1")
    stage = Stage(Shop("http://127.0.0.1:1", "key"), side, gateway, "demo-1", 4200, "USD", print)
    scenario = Scenario(title, COMPLETED, paid, absent=only("stripe", "it has no meaning there"), across=across)
    return Told(scenario, stage, COMPLETED, list(trouble))


def test_table_shows_each_checkout(console: Console) -> None:
    """One line for each scenario, one column for each gateway, with amounts as people write them."""
    outcomes = [
        (_told("paid"), SOLD),
        (_told("paid", gateway="adyen"), GIVEN_BACK),
        (_told("rejected", "ended paid"), GIVEN_BACK),
        (_told("lost", gateway="paypal"), None),
    ]
    console.print(table_of(outcomes, 140))
    lines = {cells[0]: cells[1:] for line in _printed(console).splitlines() if len(cells := _cells(line)) == 5}
    assert lines["paid"] == ["42.00 USD", "completed 1/1 webhook", "-", "refunded 1/1 api"]
    assert lines["rejected"] == ["42.00 USD", "BROKEN", "-", "-"]
    assert lines["lost"] == ["42.00 USD", "-", "kept", "-"]


def test_narrow_terminals_get_the_verdicts() -> None:
    """In eighty columns no verdict is cut off, and no scenario folded into a heap of letters."""
    console = Console(file=io.StringIO(), width=80)
    console.print(table_of([(_told("declined, then paid"), SOLD)], 80))
    shown = _printed(console)
    assert all(word in shown for word in ("declined, then paid", "kept", "stripe", "paypal", "adyen"))
    assert len(shown.splitlines()) < 10


def test_missing_cells_are_explained(console: Console) -> None:
    """Each reason for which a scenario is not told at a gateway is printed once."""
    print_absent(console, [(_told("paid"), SOLD), (_told("rejected"), SOLD)])
    assert _printed(console).splitlines() == ["  - at paypal and adyen: it has no meaning there"]


def test_table_across_shows_where_the_money_is(console: Console) -> None:
    """Of a checkout of several gateways: which of them took how much, and why it went there."""
    routed = replace(FAILED_OVER, route="no rule fits → stripe")
    console.print(table_across([(_told("down", across=True), routed), (_told("split", across=True), SPLIT)]))
    shown = " ".join(_printed(console).split())
    for words in ("paypal 42.00 USD", "no rule fits → stripe", "left stripe", "stripe 30.00 USD", "adyen 12.00 USD"):
        assert words in shown
    assert "BROKEN" not in shown


def test_timeline_shows_each_row_whole() -> None:
    """Also in eighty columns every state, cause and detail can be read."""
    now = datetime(2026, 11, 22, 16, 30, 41, 164000, tzinfo=UTC)
    cause, details = "webhook:evt_7yK89bnt79WrK1j164S7o1NI", {"reason": "late_money"}
    row = TimelineRow("chk_1", 1, "paid", CheckoutState.AWAITING_PAYMENT, cause, now, details, "0" * 64, "ab" * 32)
    console = Console(file=io.StringIO(), width=80)
    print_timeline(console, SOLD, "paid", [row])
    shown = _printed(console)
    assert all(word in shown for word in ("1", "16:30:41.164", "awaiting_payment", "reason: late_money"))
    rows = [cells for line in shown.splitlines() if len(cells := _cells(line)) == 5]
    assert cause in "".join(cells[3] for cells in rows)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_agreement_shows_figures_and_faults(console: Console) -> None:
    """Good figures are marked good; a disagreement and a broken chain are shown with their checkout."""
    print_agreement(
        console, compare([SOLD, GIVEN_BACK], NAMES), [Verification(7, 30, 11, None), Verification(2, 5, 1, None)]
    )
    good = _printed(console)
    assert "checked 2 checkouts on 3 gateways, 2 workflows, 4 movements" in good
    assert "2 charges, zero double charges" in good
    shares = [line.split() for line in good.splitlines() if "payments," in line]
    assert [(share[0], share[1], share[3], share[5]) for share in shares] == [
        ("stripe", "2", "4", "2"),
        ("paypal", "0", "0", "0"),
        ("adyen", "0", "0", "0"),
    ]
    assert "35 timeline rows in the hash chains of 9 checkouts, 12 transactions" in good
    assert "BROKEN" not in good
    found = compare([evidence("expired", *SOLD.moved)], NAMES)
    print_agreement(console, found, [Verification(7, 30, 11, Breach("chk_9", 3, "the hash does not match"))])
    bad = _printed(console).removeprefix(good)
    assert "chk_1: it is expired, but the gateway took 4200 and gave back 0" in bad
    assert "chk_9, row 3: the hash does not match" in bad


def test_broken_promises_are_named(console: Console) -> None:
    """Only what was broken is listed, with the reason; brackets in it are no markup."""
    print_broken(console, [(_told("paid"), SOLD), (_told("rejected", "answered [500]"), None)])
    assert "paid at" not in _printed(console)
    assert "rejected at stripe (demo-1)" in _printed(console)
    assert "answered [500]" in _printed(console)


def test_page_in_the_temporal_ui() -> None:
    """The workflow's id holds a slash, which must not part the address."""
    url = ui_url("http://127.0.0.1:8233", "default", "checkout/chk_1", "run-1")
    assert url == "http://127.0.0.1:8233/namespaces/default/workflows/checkout%2Fchk_1/run-1/history"


def test_board_prints_plain_lines_where_there_is_no_terminal(console: Console) -> None:
    """A scenario's line comes with the last of its checkouts and tells what became of each; steps are not printed."""
    with Board(console) as board:
        for title in ("paid", "paid", "held", "held", "rejected"):
            board.expect(title)
        board.step("paid", "stripe", "the customer pays")
        board.done("paid", "stripe", True, "completed")
        board.done("held", "stripe", True, "refunded")
        board.done("paid", "adyen", True, "completed")
        board.done("held", "adyen", False, "waited 30 s")
        board.done("rejected", "", True, "refunded")
    lines = _printed(console).splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "BROKEN", "ok"]
    assert lines[0].endswith("paid → completed (adyen, stripe)")
    assert lines[1].endswith("held → refunded (stripe); waited 30 s (adyen)")
    assert lines[2].endswith("rejected → refunded")
    assert "\x1b" not in _printed(console)


def test_board_shows_steps_in_a_terminal() -> None:
    """The picture names what runs, as far as the terminal is high enough."""
    console = Console(file=io.StringIO(), width=100, height=10, force_terminal=True)
    board = Board(console)
    for number in range(20):
        board.expect(f"scenario {number}")
        board.step(f"scenario {number}", "stripe", "the customer pays")
    console.print(board)
    shown = _printed(console)
    assert "0 of 20 checkouts done" in shown
    assert "scenario 3" in shown
    assert "scenario 9" not in shown
