"""Refunds that wait for a gateway that is down, and one that nobody has started."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

import api.starting
from api.starting import Starter
from ledger.books import Books
from ledger.refunds import Refunds
from tests.ledger.samples import asked, sale


@dataclass
class Started:
    """Starting joins the workflow that runs, as Temporal has it."""

    ids: list[str] = field(default_factory=list)

    async def start_refund(self, record: Any, checkout: Any, patience: float = 0) -> bool:
        """Remember it."""
        self.ids.append(record.refund.id)
        return False


async def test_those_that_wait_keep_nobody_waiting(fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ones run and wait in their first look, before their key is stored; the newer one was never started."""
    monkeypatch.setattr(api.starting, "BATCH", 2)
    monkeypatch.setattr(api.starting, "UNSTARTED_AFTER", timedelta(0))
    books, refunds, sagas = Books(fresh_engine), Refunds(fresh_engine), Started()
    made = [asked(await sale(books, 100), 40) for _ in range(3)]
    for refund in made:
        await refunds.reserve(refund)
    starter = Starter(books, refunds, sagas)  # type: ignore[arg-type]
    for _ in range(5):
        await starter.start_refunds()
    assert set(sagas.ids) == {refund.id for refund in made}
