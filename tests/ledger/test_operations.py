"""Operations: a key stands before the call, belongs to one request, and has one final answer."""

import asyncio

import asyncpg
import pytest

from domain.errors import BooksError, OperationMismatchError
from ledger.books import Books
from ledger.contract import OperationState
from ledger.operations import Operations
from tests.ledger.samples import checkout, created

REQUEST = {"amount": 4200, "currency": "EUR", "capture": True}


@pytest.fixture(scope="session")
def operations(books: Books) -> Operations:
    """The store on the shared database."""
    return Operations(books._engine)


@pytest.fixture
async def checkout_id(books: Books) -> str:
    """A checkout on the books."""
    return (await books.create_checkout(checkout(), created())).checkout.id


async def test_a_key_is_stored_once(operations: Operations, checkout_id: str) -> None:
    """The first begin is new; the same again finds it, whatever the order of the request's fields."""
    key = f"{checkout_id}/authorize/1"
    first, new = await operations.begin(key, checkout_id, "stripe", "authorize", REQUEST)
    assert new
    assert (first.state, first.answer) == (OperationState.STARTED, None)
    turned = dict(reversed(REQUEST.items()))
    assert await operations.begin(key, checkout_id, "stripe", "authorize", turned) == (first, False)
    assert await operations.get(key) == first
    assert await operations.get("none") is None


async def test_many_at_once_have_one_beginner(operations: Operations, checkout_id: str) -> None:
    """Exactly one of twenty is told that the key is new."""
    key = f"{checkout_id}/void"
    begun = await asyncio.gather(*(operations.begin(key, checkout_id, "stripe", "void", REQUEST) for _ in range(20)))
    assert sorted(new for _, new in begun) == [False] * 19 + [True]
    assert len({operation for operation, _ in begun}) == 1


@pytest.mark.parametrize(
    "change", [{"verb": "void"}, {"gateway": "paypal"}, {"request": REQUEST | {"amount": 4201}}, {"request": {}}]
)
async def test_a_key_belongs_to_one_request(
    operations: Operations, checkout_id: str, change: dict[str, object]
) -> None:
    """The same key with another verb, gateway or request is refused, also after it has finished."""
    asked: dict[str, object] = {"gateway": "stripe", "verb": "authorize", "request": REQUEST}
    key = f"{checkout_id}/authorize/2"
    await operations.begin(key, checkout_id, **asked)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(OperationMismatchError):
            await operations.begin(key, checkout_id, **(asked | change))  # type: ignore[arg-type]
        await operations.finish(key, OperationState.FINISHED, "{}")


async def test_the_first_final_answer_stands(
    operations: Operations, checkout_id: str, owner: asyncpg.Connection
) -> None:
    """Unknown may follow unknown; once finished, neither another answer nor another unknown changes anything."""
    key = f"{checkout_id}/capture"
    await operations.begin(key, checkout_id, "stripe", "capture", REQUEST)
    for expected in (OperationState.UNKNOWN, OperationState.UNKNOWN):
        await operations.finish(key, OperationState.UNKNOWN, None)
        found, _ = await operations.begin(key, checkout_id, "stripe", "capture", REQUEST)
        assert (found.state, found.answer) == (expected, None)
    await operations.finish(key, OperationState.FINISHED, '{"kind":"completed"}')
    await operations.finish(key, OperationState.FINISHED, '{"kind":"declined"}')
    await operations.finish(key, OperationState.UNKNOWN, None)
    found, new = await operations.begin(key, checkout_id, "stripe", "capture", REQUEST)
    assert (found.state, found.answer, new) == (OperationState.FINISHED, '{"kind":"completed"}', False)
    rows = await owner.fetch("SELECT attempt, state FROM operation_answers WHERE operation_key = $1 ORDER BY 1", key)
    assert [tuple(row) for row in rows] == [(1, "unknown"), (2, "unknown"), (3, "finished")]


async def test_simultaneous_answers_leave_one_final(
    operations: Operations, checkout_id: str, owner: asyncpg.Connection
) -> None:
    """Attempts that end at once lose no unknown before the end and never make two ends."""
    key = f"{checkout_id}/refund"
    await operations.begin(key, checkout_id, "stripe", "refund", REQUEST)
    await asyncio.gather(*(operations.finish(key, OperationState.UNKNOWN, None) for _ in range(5)))
    await asyncio.gather(*(operations.finish(key, OperationState.FINISHED, f'"{n}"') for n in range(5)))
    rows = await owner.fetch("SELECT state FROM operation_answers WHERE operation_key = $1 ORDER BY attempt", key)
    assert [row["state"] for row in rows] == ["unknown"] * 5 + ["finished"]


async def test_what_was_never_begun_cannot_end(operations: Operations, checkout_id: str) -> None:
    """An answer without its operation, and an operation without its checkout, are refused."""
    with pytest.raises(BooksError, match="never begun"):
        await operations.finish(f"{checkout_id}/none", OperationState.FINISHED, "{}")
    with pytest.raises(BooksError, match="operation_of_checkout"):
        await operations.begin("lost", "chk_none", "stripe", "void", {})


async def test_a_checkouts_operations_come_in_order(operations: Operations, checkout_id: str) -> None:
    """Oldest first, each with its state, and those of other checkouts stay out."""
    for verb in ("authorize", "capture", "refund"):
        await operations.begin(f"{checkout_id}/{verb}", checkout_id, "stripe", verb, {})
    await operations.finish(f"{checkout_id}/authorize", OperationState.FINISHED, "{}")
    found = await operations.of_checkout(checkout_id)
    assert [(operation.verb, operation.state) for operation in found] == [
        ("authorize", "finished"),
        ("capture", "started"),
        ("refund", "started"),
    ]
