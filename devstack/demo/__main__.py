"""`python -m devstack.demo`: real checkouts through the whole system; the exit status is 0 when every promise held."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from devstack import eventing, postgres
from devstack.demo import report
from devstack.demo.board import Board
from devstack.demo.claims import print_claims
from devstack.demo.scenario import NAMES
from devstack.demo.show import Performance, perform
from devstack.demo.tables import table_after, table_hours
from devstack.errors import AlreadyRunningError, StackError
from devstack.layout import ROOT, Layout
from devstack.stack import running_stack

_INTERRUPTED = 130
_SPARED = ("notifications", "analytics", "webhooks")
"""The subscribers without which every checkout ends as it does with them; the shop's orders need theirs."""
_PLAIN_WIDTH = 132
"""Columns where the output is no terminal and so has no width of its own."""
SETTINGS: Mapping[str, str] = {
    "POLL_AFTER_SECONDS": "2",
    "POLL_AT_MOST_SECONDS": "4",
    "FAILOVER_AFTER_SECONDS": "6",
    "RECONCILE_EVERY_SECONDS": "5",
    **{f"{name.upper()}_TIMEOUT_SECONDS": "4" for name in NAMES},
    "ROUTES_FILE": str(ROOT / "devstack" / "demo" / "routes.toml"),
    # With a Temporal server that others use as well, their workers must not take the demo's work.
    "TASK_QUEUE": "paysaga-demo",
}
"""The product's own settings, made short: nobody wants to wait a minute here for a lost webhook."""


def main() -> int:
    """Run the demo; 0 when every promise was kept, 1 when one was broken or the system could not be started."""
    parser = argparse.ArgumentParser(prog="python -m devstack.demo", description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="the demo's own data folder, by default .paysaga/demo in the checkout"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=_SPARED,
        help="never start this subscriber: checkouts must end the same, and nothing is claimed of what it would do",
    )
    options = parser.parse_args()
    layout = Layout.at(options.data) if options.data else Layout().demo
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    try:
        return asyncio.run(_demo(console, layout, options.without))
    except AlreadyRunningError:
        console.print(
            Text(f"\n  A demo runs already on {layout.data}. Wait for its end, or give another --data folder.")
        )
    except (StackError, postgres.PostgresError) as error:
        console.print(Text(f"\n{error}"))
    return 1


async def _demo(console: Console, layout: Layout, without: Sequence[str]) -> int:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None, "asyncio.run made one"
    begun = time.monotonic()
    with Board(console) as board:

        def stop() -> None:
            board.say("stopping …")
            task.cancel()

        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(name, stop)
        board.say(f"The demo starts a system of its own, with its data in {_short(layout.data)}:")
        for left_out in without:
            board.say(
                f"({left_out} is never started: checkouts must end the same, nothing is claimed of what it would do)"
            )
        try:
            async with running_stack(
                layout.data, settings=SETTINGS, say=board.say, without=without, later=eventing.MEASURED
            ) as stack:
                board.say("")
                performance = await perform(stack, board)
                board.close()
                _tell(console, performance, layout)
        except asyncio.CancelledError:
            board.say("stopped; everything that ran has ended")
            return _INTERRUPTED
    _verdict(console, performance, layout, time.monotonic() - begun)
    return 0 if performance.good else 1


def _tell(console: Console, performance: Performance, layout: Layout) -> None:
    result = performance.result
    at_one = [outcome for outcome in result.outcomes if not outcome[0].scenario.across]
    sales = [outcome for outcome in at_one if not outcome[0].scenario.after]
    after = [outcome for outcome in at_one if outcome[0].scenario.after]
    console.print()
    console.print(report.table_of(sales, console.width))
    report.print_absent(console, sales)
    console.print()
    console.print(table_after(after, console.width))
    report.print_absent(console, after)
    console.print()
    console.print(table_hours(performance.hours))
    console.print()
    console.print(report.table_across(outcome for outcome in result.outcomes if outcome[0].scenario.across))
    for case in result.showcases:
        report.print_timeline(console, case.seen, case.told.scenario.title, case.rows)
        if case.url is not None:
            console.print(Text(f"  In the Temporal UI: {case.url}"), soft_wrap=True)
    if any(case.url for case in result.showcases):
        again = f'make up ARGS="--data {_short(layout.data)}"'
        console.print(Text(f"  (the demo stops its system at the end; {again} starts it again on the same data)"))
    report.print_agreement(console, result.agreement, result.verifications)
    print_claims(console, "What do other services hear of it, and what if they do not?", performance.claims)


def _verdict(console: Console, performance: Performance, layout: Layout, seconds: float) -> None:
    console.print()
    result, claims = performance.result, performance.claims
    if performance.good:
        kept = f"All {len(result.outcomes)} promises were kept, and {len(claims)} claims about events hold"
        console.print(Text(f"  {kept} ({seconds:.0f} s, start and stop included).", "bold green"))
        return
    report.print_broken(console, result.outcomes)
    if result.agreement.disagreements or result.agreement.double_charges or not result.books_hold:
        console.print(Text("  BROKEN  the books do not agree, see above", "bold red"))
    for each in claims:
        if each.trouble:
            console.print(Text(f"  BROKEN  {each.title}, see above", "bold red"))
    told = f"  NOT every promise was kept ({seconds:.0f} s). The parts' logs are in {_short(layout.data / 'logs')}."
    console.print(Text(told, "bold red"))


def _short(path: Path) -> str:
    """As a person in the checkout would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
