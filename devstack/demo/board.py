"""Shows what goes on while it goes on: a moving picture in a terminal, plain lines elsewhere."""

import time
from collections import Counter, defaultdict
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

_ROWS_BESIDE = 6
"""Lines of the terminal that are left to what is printed above the picture."""


class Board:
    """What every scenario does at this moment, and how many checkouts are done.

    A scenario goes by its title; `where` tells its checkouts at several gateways apart, empty where there is but one.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()
        self._steps: dict[tuple[str, str], str] = {}
        self._awaited: Counter[str] = Counter()
        self._ended: dict[str, list[tuple[str, bool, str]]] = defaultdict(list)
        self._total = self._done = 0
        self._live = Live(self, console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Take the picture away; what was printed stays."""
        self._live.stop()

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self._console.print(Text(f"  {line}"))

    def expect(self, title: str) -> None:
        """One checkout more of this scenario there will be."""
        self._awaited[title] += 1
        self._total += 1

    def step(self, title: str, where: str, what: str) -> None:
        """What a checkout does now."""
        self._steps[title, where] = what

    def done(self, title: str, where: str, kept: bool, result: str) -> None:
        """A checkout has come to its end; the scenario's line is printed with the last of them."""
        self._steps.pop((title, where), None)
        self._done += 1
        self._ended[title].append((where, kept, result))
        if len(self._ended[title]) < self._awaited[title]:
            return
        seconds = time.monotonic() - self._begun
        kept = all(good for _, good, _ in self._ended[title])
        mark = Text("ok    ", "green") if kept else Text("BROKEN", "bold red")
        counted = f"{self._done:>3}/{self._total}  {seconds:5.1f} s  "
        line = f"{counted}{title} → {_together(self._ended[title])}"
        self._console.print(Text("  ").append_text(mark).append(f" {line}"), soft_wrap=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The picture, as high as the terminal allows."""
        if not self._total:
            return
        yield Text(f"\n  {self._done} of {self._total} checkouts done, {time.monotonic() - self._begun:.0f} s", "bold")
        table = Table.grid(padding=(0, 2))
        for _ in range(2):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        shown = list(self._steps.items())[: max(1, console.size.height - _ROWS_BESIDE)]
        for (title, where), what in shown:
            table.add_row(Text(f"    {title}"), Text(where), Text(what, "dim"))
        yield table


def _together(ended: list[tuple[str, bool, str]]) -> str:
    """The results of one scenario, each with where it was seen."""
    places: dict[str, list[str]] = defaultdict(list)
    for where, _, result in ended:
        places[result].append(where)
    told = {result: ", ".join(sorted(filter(None, wheres))) for result, wheres in places.items()}
    return "; ".join(f"{result} ({wheres})" if wheres else result for result, wheres in told.items())
