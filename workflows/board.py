"""What people see of a refund or a dispute in the Temporal UI."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from workflows.search_attributes import PAYMENT_STATE, STUCK, WAITING_SINCE


class Board:
    """Search attributes cost a history event each time, so they change only when what they say does."""

    def __init__(self, word: str) -> None:
        self._shown = (word, "", False)
        self._since: datetime | None = None

    def show(self, word: str, waiting_for: str, lines: Sequence[str], stuck: bool = False) -> None:
        """Say where it stands (`word`), what it waits for (empty: for nothing), and what else there is to know."""
        if waiting_for != self._shown[1]:
            self._since = workflow.now() if waiting_for else None
        if (word, waiting_for, stuck) != self._shown:
            self._shown = (word, waiting_for, stuck)
            updates: list[SearchAttributeUpdate[Any]] = [
                PAYMENT_STATE.value_set(word),
                STUCK.value_set(stuck),
                WAITING_SINCE.value_set(self._since) if self._since else WAITING_SINCE.value_unset(),
            ]
            workflow.upsert_search_attributes(updates)
        text = [f"### {word}", "", *(f"- {line}" for line in lines)]
        if self._since:
            text += ["", f"**Waits for** {waiting_for}, since {self._since:%Y-%m-%d %H:%M:%S} UTC."]
        if stuck:
            text += ["", "**Stuck**: `retry_now` (a signal) tries again at once."]
        workflow.set_current_details("\n".join(text) + "\n")
