"""The tables of what came after the sales: the money that moved, and the hours without an answer."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from devstack.demo.evidence import Evidence, Kind
from devstack.demo.hours import Sight, TenHours
from devstack.demo.report import WIDE, Outcome
from devstack.demo.scenario import NAMES
from domain.money import Money

_TOLD = {
    Kind.TAKE: "took",
    Kind.TAKE_BACK: "lost",
    Kind.RELEASE: "released",
    Kind.REFUND_FINAL: "gave back",
    Kind.REFUND_BACK: "refund came back",
    Kind.WITHDRAWN: "withdrawn",
    Kind.REINSTATED: "reinstated",
}
_SHOWN_HOURS = (1, 2, 10)


def table_after(outcomes: Iterable[Outcome], width: int) -> Table:
    """One line for each scenario: what moved in all at the first gateway, and whether the promise was kept at each."""
    table = Table(title="After the sale, with what the gateways' own books say of it", title_justify="left")
    table.add_column("scenario", overflow="fold")
    if width >= WIDE:
        table.add_column("money at the gateway", overflow="fold")
    for name in NAMES:
        table.add_column(name, no_wrap=True)
    rows: dict[str, dict[str | None, Outcome]] = {}
    for told, seen in outcomes:
        rows.setdefault(told.scenario.title, {})[told.stage.gateway] = told, seen
    for title, cells in rows.items():
        seen = next((evidence for _, evidence in cells.values() if evidence is not None), None)
        money = [Text(_money(seen) if seen else "-")] if width >= WIDE else []
        verdicts = (_verdict(cells.get(name)) for name in NAMES)
        table.add_row(Text(title), *money, *verdicts)
    return table


def _money(seen: Evidence) -> str:
    parts = []
    for kind, words in _TOLD.items():
        amounts = [
            str(Money(minor, seen.currency)).removesuffix(f" {seen.currency}") for minor in seen.at_gateways(kind)
        ]
        parts += [f"{words} {' + '.join(amounts)}"] if amounts else []
    return f"{', '.join(parts)} {seen.currency}" if parts else "nothing"


def _verdict(outcome: Outcome | None) -> Text:
    if outcome is None:
        return Text("-", "dim")
    told, _ = outcome
    return Text("BROKEN", "bold red") if told.trouble else Text("kept", "green")


def table_hours(hours: TenHours) -> Table:
    """How the unknown looked while it lasted, and when it was known."""
    table = Table(title="Ten simulated hours without an answer", title_justify="left")
    for name in ("story", "after", "state"):
        table.add_column(name, no_wrap=True)
    table.add_column("what is shown", overflow="fold")
    table.add_column("cases open", justify="right", no_wrap=True)
    for title, sights in hours.sights.items():
        for number, sight in enumerate(_chosen(sights)):
            cells = ("" if number else title, f"{_hours(sight)} h", sight.state, sight.shown or "-", str(sight.cases))
            table.add_row(*map(Text, cells))
        table.add_section()
    return table


def _chosen(sights: list[Sight]) -> list[Sight]:
    """Some of them, and the last: that is when it was known."""
    return [*(sight for sight in sights[:-1] if _hours(sight) in _SHOWN_HOURS), *sights[-1:]]


def _hours(sight: Sight) -> int:
    return round(sight.after.total_seconds() / 3600)
