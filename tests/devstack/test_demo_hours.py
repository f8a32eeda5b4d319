"""The demo's hours without an answer: what is shown of them, and what must not happen meanwhile."""

import io
import json
import os
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import httpx
import pytest
from rich.console import Console

from devstack.demo.casework import written_off_by_two
from devstack.demo.hours import Sight, TenHours, check_nothing_decided
from devstack.demo.judge import Heard
from devstack.demo.people import GatewaySide, Shop, StoryError
from devstack.demo.stage import Stage
from devstack.demo.tables import table_after, table_hours
from devstack.inprocess import as_environment
from tests.devstack.test_demo_afterwards import LOST, PARTS
from tests.devstack.test_demo_report import _printed, _told

UNKNOWN = "the gateway to answer, unknown since 20:00"


def sights(*cases: int, state: str = "authorized") -> list[Sight]:
    """What was seen hour by hour, by how many cases were open."""
    return [Sight(timedelta(hours=hour), state, UNKNOWN, open_) for hour, open_ in enumerate(cases, start=1)]


def test_ignorance_that_stays_is_as_it_should_be() -> None:
    """The state stays, and a person was told once."""
    check_nothing_decided({"capture": sights(0, 1, 1), "refund": sights(0, 1, 1, state="completed")})


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([*sights(0, 1), *sights(1, state="declined")], "the state changed"),
        (sights(0, 0, 0), "0 cases are open"),
        (sights(0, 1, 2), "2 cases are open"),
    ],
)
def test_ignorance_that_became_something_is_told(seen: list[Sight], said: str) -> None:
    """Nothing may be decided while nothing is known, and nobody is told of it twice or not at all."""
    with pytest.raises(StoryError, match=said):
        check_nothing_decided({"refund": sights(0, 1, state="completed"), "capture": seen})


def test_the_hours_are_shown() -> None:
    """Some of the hours, and the last, in which it was known."""
    console = Console(file=io.StringIO(), width=132)
    seen = [*sights(0, 1, 1, 1, 1, 1, 1, 1, 1, 1), Sight(timedelta(hours=11), "completed", None, 0)]
    console.print(table_hours(TenHours(cast("Heard", None), {"capture": seen})))
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in _printed(console).splitlines()]
    assert [row[1:] for row in rows if len(row) == 5] == [
        ["1 h", "authorized", UNKNOWN, "0"],
        ["2 h", "authorized", UNKNOWN, "1"],
        ["10 h", "authorized", UNKNOWN, "1"],
        ["11 h", "completed", "-", "0"],
    ]


def test_money_after_the_sale_is_shown() -> None:
    """Parts and what is left of a hold, refunds and what a dispute took, with a verdict for each gateway."""
    console = Console(file=io.StringIO(), width=132)
    console.print(table_after([(_told("parts"), PARTS), (_told("lost", "ended paid"), LOST)], 132))
    shown = " ".join(_printed(console).split())
    assert "took 10.00 + 10.00 + 15.00, released 7.00 USD │ kept │ - │ - │" in shown
    assert "took 42.00, gave back 12.00, withdrawn 30.00 USD │ BROKEN │ - │ - │" in shown
    narrow = Console(file=io.StringIO(), width=80)
    narrow.print(table_after([(_told("dispute lost after a partial refund"), LOST)], 80))
    assert "kept" in _printed(narrow)


def test_the_product_is_told_another_environment_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read inside is that of the mapping and nothing else; afterwards all is as it was."""
    monkeypatch.setenv("TASK_QUEUE", "ours")
    before = dict(os.environ)
    with as_environment({"TASK_QUEUE": "faraway"}):
        assert dict(os.environ) == {"TASK_QUEUE": "faraway"}
    assert dict(os.environ) == before


def answering(*outcomes: str) -> Callable[[httpx.Request], httpx.Response]:
    """An API with one open case, which answers orders so, one after the other."""
    left, case = list(outcomes), {"id": "case_1", "kind": "refund_failed_later", "closed_at": None}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert json.loads(request.content)["action"] == "write_off"
            return httpx.Response(200, json={"outcome": left.pop(0)})
        return httpx.Response(200, json={"data": [case] if left else []})

    return answer


def _stage(answer: Callable[[httpx.Request], httpx.Response]) -> Stage:
    shops = [Shop("http://127.0.0.1:1", "key") for _ in range(2)]
    for shop in shops:
        shop._client = httpx.AsyncClient(base_url="http://127.0.0.1:1", transport=httpx.MockTransport(answer))
    side = GatewaySide("http://127.0.0.1:1")
    return Stage(shops[0], side, "stripe", "demo-1", 4200, "USD", print, "chk_1", colleague=shops[1])


async def test_one_person_must_not_close_what_takes_two() -> None:
    """The story fails when the same key is enough, and when the second key is not."""
    await written_off_by_two(_stage(answering("awaits_second", "awaits_second", "done")))
    with pytest.raises(StoryError, match="write_off was answered done, expected was awaits_second"):
        await written_off_by_two(_stage(answering("awaits_second", "done")))
    with pytest.raises(StoryError, match="write_off was answered awaits_second, expected was done"):
        await written_off_by_two(_stage(answering("awaits_second", "awaits_second", "awaits_second")))
