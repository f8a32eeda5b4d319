"""Shows what goes on while it goes on: a moving picture in a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

_ROWS_BESIDE = 6
"""Lines of the terminal that are left to what is printed above the picture."""


class Board:
    """What every scenario does at this moment, and how many are done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()
        self._steps: dict[str, str] = {}
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

    def expect(self, how_many: int) -> None:
        """So many scenarios there will be."""
        self._total += how_many

    def step(self, title: str, what: str) -> None:
        """What a scenario does now."""
        self._steps[title] = what

    def done(self, title: str, kept: bool, result: str) -> None:
        """A scenario has come to its end."""
        self._steps.pop(title, None)
        self._done += 1
        seconds = time.monotonic() - self._begun
        mark = Text("ok    ", "green") if kept else Text("BROKEN", "bold red")
        counted = f"{self._done:>2}/{self._total}  {seconds:5.1f} s  "
        self._console.print(Text("  ").append_text(mark).append(f" {counted}{title} → {result}"))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The picture, as high as the terminal allows."""
        if not self._total:
            return
        yield Text(f"\n  {self._done} of {self._total} checkouts done, {time.monotonic() - self._begun:.0f} s", "bold")
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        shown = list(self._steps.items())[: max(1, console.size.height - _ROWS_BESIDE)]
        for title, what in shown:
            table.add_row(Text(f"    {title}"), Text(what, "dim"))
        yield table
