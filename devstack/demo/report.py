"""What is printed at the end: the table, the agreement, one checkout's timeline."""

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from devstack.demo.agreement import Agreement
from devstack.demo.evidence import Evidence, Kind
from devstack.demo.stage import Told
from domain.money import Money
from domain.timeline import TimelineRow
from ledger.contract import Verification

Outcome = tuple[Told, Evidence | None]
"""A scenario as it was told, and the evidence; None where no checkout came into being."""


_WIDE = 110
"""Columns of a terminal from which on everything fits."""
_COLUMNS = ("order", "amount", "state", "charged", "returned", "learnt by", "promise")
_NARROW = frozenset({"amount", "state", "charged", "returned", "promise"})


def table_of(outcomes: Iterable[Outcome], width: int) -> Table:
    """One line for each scenario; a terminal of few columns (`width`) gets the most important ones."""
    names = [name for name in _COLUMNS if width >= _WIDE or name in _NARROW]
    table = Table(title="Every checkout, with what the gateway's own books say of it", title_justify="left")
    table.caption = "charged: how often money was taken, of how many attempts on a card; learnt by: what told us first"
    table.caption_justify = "left"
    table.add_column("scenario", overflow="fold")
    for name in names:
        numeric = name in ("amount", "charged", "returned")
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for told, seen in outcomes:
        cells = _cells(told, seen)
        table.add_row(Text(told.scenario.title), *(cells[name] for name in names))
    return table


def _cells(told: Told, seen: Evidence | None) -> dict[str, Text]:
    kept = Text("BROKEN", "bold red") if told.trouble else Text("kept", "green")
    amount = Money(told.scenario.amount_minor, told.scenario.currency)
    cells = {name: Text("-") for name in _COLUMNS}
    cells |= {"order": Text(told.stage.order_id), "amount": Text(str(amount)), "promise": kept}
    if seen is None:
        return cells
    cells |= {"state": Text(seen.api.state), "learnt by": Text(seen.learnt_by)}
    if seen.attempts:
        cells["charged"] = Text(f"{seen.taken} of {seen.attempts}")
    if returned := sum(seen.at_gateway(Kind.REFUND_FINAL)):
        cells["returned"] = Text(str(Money(returned, seen.currency)))
    elif seen.at_gateway(Kind.RELEASE):
        cells["returned"] = Text("released")
    return cells


def print_agreement(console: Console, found: Agreement, verified: Verification) -> None:
    """Whether all parties tell the same story."""
    console.print(Text("\nDo the gateway's books, the ledger and the workflows agree?", "bold"))
    _line(
        console,
        not found.disagreements,
        f"{found.checkouts} checkouts, {found.workflows} workflows, {found.rows} movements of money laid side by side:"
        f" {len(found.disagreements)} disagreements",
    )
    for each in found.disagreements:
        console.print(Text(f"         {each.checkout_id}: {each.what}", "red"))
    _line(console, not found.double_charges, f"{found.charges} charges, {found.double_charges} double charges")
    breach = verified.breach
    _line(
        console,
        breach is None,
        f"whole database: {verified.rows} timeline rows in the hash chains of {verified.checkouts} checkouts,"
        f" {verified.transactions} transactions that sum to zero",
    )
    if breach is not None:
        console.print(Text(f"         {breach.checkout_id}, row {breach.sequence}: {breach.reason}", "red"))


def _line(console: Console, good: bool, text: str) -> None:
    mark = Text("  ok     ", "green") if good else Text("  BROKEN ", "bold red")
    console.print(mark.append(text, "default"), soft_wrap=True)


def print_timeline(console: Console, seen: Evidence, title: str, rows: Sequence[TimelineRow]) -> None:
    """What happened to one checkout; each row's hash covers the row before."""
    table = Table(title=f"One timeline: {seen.order_id}, {title}", title_justify="left")
    for name in ("#", "at (UTC)", "state"):
        table.add_column(name, no_wrap=True, min_width=len(name))
    for name in ("cause and details", "hash"):
        table.add_column(name, overflow="fold")
    for row in rows:
        why = "\n".join([row.cause, *(f"{name}: {value}" for name, value in row.details.items())])
        cells = (str(row.sequence), f"{row.at:%H:%M:%S.%f}"[:-3], row.state, why, row.hash[:12])
        table.add_row(*map(Text, cells))
    console.print()
    console.print(table)


def ui_url(ui: str, namespace: str, workflow_id: str, run_id: str) -> str:
    """The page of one workflow in the Temporal UI."""
    return f"{ui}/namespaces/{quote(namespace, safe='')}/workflows/{quote(workflow_id, safe='')}/{run_id}/history"


def print_broken(console: Console, outcomes: Iterable[Outcome]) -> None:
    """Every promise that was not kept, and how."""
    for told, _ in outcomes:
        if told.trouble:
            console.print(Text(f"  BROKEN  {told.scenario.title} ({told.stage.order_id})", "bold red"))
            for trouble in told.trouble:
                console.print(Text(f"          {trouble}", "red"), soft_wrap=True)
