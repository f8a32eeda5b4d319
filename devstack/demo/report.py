"""What is printed at the end: the tables, the agreement, single checkouts' timelines."""

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from devstack.demo.agreement import Agreement
from devstack.demo.evidence import Evidence, Kind
from devstack.demo.scenario import NAMES, Told
from domain.money import Money
from domain.timeline import TimelineRow
from ledger.contract import Verification

Outcome = tuple[Told, Evidence | None]
"""A scenario as it was told, and the evidence; None where no checkout came into being."""

_FATES = {Kind.TAKE: "", Kind.RELEASE: " released", Kind.REFUND_FINAL: " given back"}
WIDE = 132
"""Columns of a terminal from which on everything fits."""


def table_of(outcomes: Iterable[Outcome], width: int) -> Table:
    """One line for each scenario, one column for each gateway; few columns (`width`) leave room for verdicts alone."""
    wide = width >= WIDE
    table = Table(title="Every checkout, with what the gateways' own books say of it", title_justify="left")
    table.caption = "how it ended; how often money was taken / charges the gateway tells of; what told us first"
    table.caption_justify = "left"
    table.add_column("scenario", overflow="fold")
    if wide:
        table.add_column("amount", justify="right", no_wrap=True)
    for name in NAMES:
        table.add_column(name, no_wrap=True)
    rows: dict[str, dict[str | None, Outcome]] = {}
    for told, seen in outcomes:
        rows.setdefault(told.scenario.title, {})[told.stage.gateway] = told, seen
    for title, cells in rows.items():
        told, _ = next(iter(cells.values()))
        amount = [Text(str(Money(told.scenario.amount_minor, told.scenario.currency)))] if wide else []
        here = [_cell(*cells[name], wide) if name in cells else Text("-", "dim") for name in NAMES]
        table.add_row(Text(title), *amount, *here)
    return table


def _cell(told: Told, seen: Evidence | None, wide: bool) -> Text:
    if told.trouble:
        return Text("BROKEN", "bold red")
    if seen is None or not wide:
        return Text("kept", "green")
    charges = f" {seen.taken}/{'?' if seen.attempts is None else seen.attempts}" if seen.taken or seen.attempts else ""
    return Text(f"{seen.api.state}{charges} {seen.learnt_by}", "green")


def print_absent(console: Console, outcomes: Iterable[Outcome]) -> None:
    """Why scenarios have no meaning at some gateways."""
    reasons: dict[str, list[str]] = {}
    for told, _ in outcomes:
        for gateway, reason in told.scenario.absent.items():
            reasons.setdefault(reason, []).append(gateway)
    for reason, gateways in reasons.items():
        console.print(Text(f"  - at {' and '.join(dict.fromkeys(gateways))}: {reason}", "dim"), soft_wrap=True)


def table_across(outcomes: Iterable[Outcome]) -> Table:
    """One line for each scenario that is no single gateway's: where money was taken in the end, and why there."""
    table = Table(title="Checkouts across gateways", title_justify="left")
    table.add_column("scenario", overflow="fold")
    for name in ("amount", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("money", "why"):
        table.add_column(name, overflow="fold")
    table.add_column("promise", no_wrap=True)
    for told, seen in outcomes:
        kept = Text("BROKEN", "bold red") if told.trouble else Text("kept", "green")
        amount = str(Money(told.scenario.amount_minor, told.scenario.currency))
        shown = (seen.api.state, _places(seen), _why(seen)) if seen else ("-", "-", "-")
        table.add_row(Text(told.scenario.title), Text(amount), *map(Text, shown), kept)
    return table


def _places(seen: Evidence) -> str:
    moved = [movement for one in seen.each() for movement in one.moved]
    told = (f"{m.gateway} {Money(m.amount_minor, m.currency)}{_FATES[m.kind]}" for m in moved if m.kind in _FATES)
    return "\n".join(told) or "-"


def _why(seen: Evidence) -> str:
    left = f"\nleft {' and '.join(seen.left)}, where nothing had happened" if seen.left else ""
    tenders = f"{len(seen.legs)} tenders" if seen.legs else "-"
    return f"{seen.route or tenders}{left}"


def print_agreement(console: Console, found: Agreement, verified: Sequence[Verification]) -> None:
    """Whether all parties tell the same story."""
    console.print(Text("\nDo the gateways' books, the ledger and the workflows agree?", "bold"))
    _line(
        console,
        not found.disagreements,
        f"checked {found.checkouts} checkouts on {len(found.shares)} gateways, {found.workflows} workflows,"
        f" {found.rows} movements of money laid side by side: {len(found.disagreements)} disagreements",
    )
    later = f"{found.refunds} refunds of the shop's, {found.disputes} disputes, {found.cases} cases that were closed"
    console.print(Text(f"           among them, after the sale: {later}"))
    for share in found.shares:
        counted = f"{share.payments:>4} payments, {share.rows:>4} movements, {share.charges:>4} charges"
        console.print(Text(f"           {share.gateway:<8}{counted}"))
    for each in found.disagreements:
        console.print(Text(f"         {each.checkout_id}: {each.what}", "red"))
    _line(
        console,
        not found.double_charges,
        f"{found.charges} charges, {found.double_charges or 'zero'} double charges, all gateways together",
    )
    breaches = [one.breach for one in verified if one.breach is not None]
    rows, checkouts, transactions = (
        sum(getattr(one, name) for one in verified) for name in ("rows", "checkouts", "transactions")
    )
    _line(
        console,
        not breaches,
        f"both databases, whole: {rows} timeline rows in the hash chains of {checkouts} checkouts,"
        f" {transactions} transactions that sum to zero",
    )
    for breach in breaches:
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
            where = f" at {told.stage.gateway}" if told.stage.gateway else ""
            console.print(Text(f"  BROKEN  {told.scenario.title}{where} ({told.stage.order_id})", "bold red"))
            for trouble in told.trouble:
                console.print(Text(f"          {trouble}", "red"), soft_wrap=True)
