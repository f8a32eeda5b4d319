"""Marks: how far a gateway's list was read, and never back."""

import asyncio
import secrets
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.marks import PollMarks
from tests.ledger.samples import NOW


async def test_a_mark_only_moves_forward(engine: AsyncEngine) -> None:
    """None at first; then the latest of all, whichever reader was slower."""
    marks, gateway = PollMarks(engine), f"gate-{secrets.token_hex(4)}"
    assert await marks.read(gateway) is None
    moments = [NOW + timedelta(minutes=minute) for minute in (3, 9, 1, 7, 5)]
    await asyncio.gather(*(marks.move(gateway, moment) for moment in moments))
    assert await marks.read(gateway) == NOW + timedelta(minutes=9)
    await marks.move(gateway, NOW)
    assert await marks.read(gateway) == NOW + timedelta(minutes=9)


async def test_gateways_have_marks_of_their_own(engine: AsyncEngine) -> None:
    """One that is far ahead says nothing of another."""
    marks, names = PollMarks(engine), [f"gate-{secrets.token_hex(4)}" for _ in range(2)]
    await marks.move(names[0], NOW)
    assert await marks.read(names[1]) is None
