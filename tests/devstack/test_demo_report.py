"""What the demo prints."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from devstack.demo.agreement import compare
from devstack.demo.board import Board
from devstack.demo.people import GatewaySide, Shop
from devstack.demo.promise import COMPLETED, REFUNDED
from devstack.demo.report import print_agreement, print_broken, print_timeline, table_of, ui_url
from devstack.demo.scenarios import SCENARIOS, paid
from devstack.demo.stage import Scenario, Stage, Told
from domain.states import CheckoutState
from domain.timeline import TimelineRow
from ledger.contract import Breach, Verification
from tests.devstack.test_demo_agreement import GIVEN_BACK, SOLD, evidence


@pytest.fixture
def console() -> Console:
    """A console that keeps what is printed, and is no terminal."""
    return Console(file=io.StringIO(), width=140)


def _printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _told(title: str = "paid", *trouble: str) -> Told:
    stage = Stage(Shop("http://127.0.0.1:1", "key"), GatewaySide("http://127.0.0.1:1"), "demo-1", 4200, "USD", print)
    return Told(Scenario(title, COMPLETED, paid), stage, list(trouble))


def test_table_shows_each_checkout(console: Console) -> None:
    """One line for each, with amounts as people write them and what the gateway's books say."""
    outcomes = [(_told("paid"), SOLD), (_told("rejected", "ended paid"), GIVEN_BACK), (_told("lost"), None)]
    console.print(table_of(outcomes, 140))
    lines = {cells[0]: cells[1:] for line in _printed(console).splitlines() if len(cells := _cells(line)) == 8}
    assert lines["paid"] == ["demo-1", "42.00 USD", "completed", "1 of 1", "-", "webhook", "kept"]
    assert lines["rejected"] == ["demo-1", "42.00 USD", "refunded", "1 of 1", "42.00 USD", "api", "BROKEN"]
    assert lines["lost"] == ["demo-1", "42.00 USD", "-", "-", "-", "-", "kept"]


def test_narrow_terminals_get_what_matters_most() -> None:
    """In eighty columns no amount, state or verdict is cut off, and no scenario folded into a heap of letters."""
    console = Console(file=io.StringIO(), width=80)
    console.print(table_of([(_told("declined, then paid"), SOLD)], 80))
    shown = _printed(console)
    assert all(word in shown for word in ("declined,", "then paid", "42.00 USD", "completed", "1 of 1", "kept"))
    assert len(shown.splitlines()) < 10


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
    print_agreement(console, compare([SOLD, GIVEN_BACK]), Verification(7, 30, 11, None))
    good = _printed(console)
    assert "2 checkouts, 2 workflows, 4 movements" in good
    assert "30 timeline rows in the hash chains of 7 checkouts, 11 transactions" in good
    assert "BROKEN" not in good
    found = compare([evidence("expired", *SOLD.gateway)])
    print_agreement(console, found, Verification(7, 30, 11, Breach("chk_9", 3, "the hash does not match")))
    bad = _printed(console).removeprefix(good)
    assert "chk_1: it is expired, but the gateway took 4200 and gave back 0" in bad
    assert "chk_9, row 3: the hash does not match" in bad


def test_broken_promises_are_named(console: Console) -> None:
    """Only what was broken is listed, with the reason; brackets in it are no markup."""
    print_broken(console, [(_told("paid"), SOLD), (_told("rejected", "answered [500]"), None)])
    assert "paid (" not in _printed(console)
    assert "rejected (demo-1)" in _printed(console)
    assert "answered [500]" in _printed(console)


def test_page_in_the_temporal_ui() -> None:
    """The workflow's id holds a slash, which must not part the address."""
    url = ui_url("http://127.0.0.1:8233", "default", "checkout/chk_1", "run-1")
    assert url == "http://127.0.0.1:8233/namespaces/default/workflows/checkout%2Fchk_1/run-1/history"


def test_board_prints_plain_lines_where_there_is_no_terminal(console: Console) -> None:
    """Every end is a line with its number; steps in between are for terminals alone."""
    with Board(console) as board:
        board.expect(2)
        board.step("paid", "the customer pays")
        board.done("paid", True, "completed")
        board.done("rejected", False, "waited 30 s")
    lines = _printed(console).splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "BROKEN"]
    assert lines[1].endswith("rejected → waited 30 s")
    assert "\x1b" not in _printed(console)


def test_board_shows_steps_in_a_terminal() -> None:
    """The picture names what runs, as far as the terminal is high enough."""
    console = Console(file=io.StringIO(), width=100, height=10, force_terminal=True)
    board = Board(console)
    board.expect(20)
    for number in range(20):
        board.step(f"scenario {number}", "the customer pays")
    console.print(board)
    shown = _printed(console)
    assert "0 of 20 checkouts done" in shown
    assert "scenario 3" in shown
    assert "scenario 9" not in shown


def test_scenarios_are_told_apart_by_their_titles() -> None:
    """The board goes by titles; and there are as many scenarios as promised, refunds and expiries among them."""
    titles = [scenario.title for scenario in SCENARIOS]
    assert len(set(titles)) == len(titles) >= 20
    assert {REFUNDED.state, COMPLETED.state, "expired", "canceled"} <= {s.promise.state for s in SCENARIOS}
