# ruff: noqa: S608 (the statements are made of this file's own constants)
"""What the database itself refuses, whoever asks, and what the running product has no right to."""

import asyncpg
import pytest

from ledger.books import Books
from ledger.engine import APP_ROLE
from tests.ledger.samples import whole_life

APPEND_ONLY = (
    "checkouts",
    "timeline",
    "transactions",
    "postings",
    "operations",
    "operation_answers",
    "breaker_events",
    "refunds",
    "disputes",
    "dispute_evidence",
    "webhook_messages",
    "webhook_attempts",
)
UPDATES = {
    "checkouts": "amount_minor = 1",
    "timeline": "cause = 'x'",
    "transactions": "kind = 'x'",
    "postings": "amount_minor = 1",
    "operations": "verb = 'x'",
    "operation_answers": "answer = 'x'",
    "breaker_events": "who = 'x'",
    "refunds": "amount_minor = 1",
    "disputes": "checkout_id = 'x'",
    "dispute_evidence": "evidence = '{}'",
    "webhook_messages": "type = 'x'",
    "webhook_attempts": "answer = 'x'",
}
MAY = {
    "checkouts": "INSERT SELECT",
    "checkout_status": "INSERT SELECT UPDATE",
    "timeline": "INSERT SELECT",
    "transactions": "INSERT SELECT",
    "postings": "INSERT SELECT",
    "operations": "INSERT SELECT",
    "operation_answers": "INSERT SELECT",
    "outbox": "INSERT SELECT",
    "webhook_inbox": "INSERT SELECT",
    "idempotency_keys": "DELETE INSERT SELECT",
    "api_keys": "INSERT SELECT",
    "breakers": "INSERT SELECT",
    "breaker_events": "INSERT SELECT",
    "refunds": "INSERT SELECT",
    "refund_status": "INSERT SELECT",
    "disputes": "INSERT SELECT",
    "dispute_status": "INSERT SELECT",
    "dispute_evidence": "INSERT SELECT",
    "cases": "INSERT SELECT",
    "poll_marks": "INSERT SELECT",
    "consumed_events": "DELETE INSERT SELECT",
    "orders_stock": "INSERT SELECT",
    "orders_reservations": "DELETE INSERT SELECT",
    "webhook_endpoints": "INSERT SELECT",
    "webhook_secrets": "INSERT SELECT",
    "webhook_messages": "INSERT SELECT",
    "webhook_deliveries": "INSERT SELECT",
    "webhook_attempts": "INSERT SELECT",
    "analytics_daily": "DELETE INSERT SELECT",
    "analytics_checkouts": "DELETE INSERT SELECT",
    "alembic_version": "",
}
MAY_UPDATE = {
    "outbox": "published_at",
    "webhook_inbox": "attempts leased_until next_attempt_at outcome processed_at replays",
    "idempotency_keys": "body content_type finished_at started_at status",
    "api_keys": "revoked_at",
    "breakers": "next_probe_at probe_holder probe_until reason since state tallies trips",
    "refund_status": "failure gateway_refund_id state updated_at",
    "dispute_status": (
        "amount_minor answered answered_at currency live payment_id reason reference respond_by state updated_at "
        "withdrawn_minor"
    ),
    "cases": "closed_at closed_how closed_sequence",
    "poll_marks": "at listed_until",
    "analytics_daily": "amount_minor count milliseconds",
    "analytics_checkouts": "captured_minor created_at last_sequence paid_at refunded_minor",
    "orders_stock": "available changed_at",
    "orders_reservations": "returned_at state",
    "webhook_endpoints": "disabled_at disabled_reason events failing_since state updated_at url",
    "webhook_secrets": "expires_at",
    "webhook_deliveries": "attempts finished_at leased_until next_attempt_at started_at state",
}


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("replica", [False, True])
async def test_even_the_owner_cannot_change_the_past(owner: asyncpg.Connection, table: str, replica: bool) -> None:
    """UPDATE, DELETE and TRUNCATE are refused with a clear message, in a replica session and on no rows too."""
    if replica:
        await owner.execute("SET session_replication_role = replica")
    for statement in (f"UPDATE {table} SET {UPDATES[table]}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await owner.execute(statement)
    with pytest.raises(asyncpg.RestrictViolationError, match=f"{table} is append-only: DELETE is refused"):
        await owner.execute(f"DELETE FROM {table} WHERE false")


async def test_of_the_outbox_only_published_at_changes(owner: asyncpg.Connection, books: Books) -> None:
    """An event can be marked as published and otherwise neither changed nor removed, also not by the owner."""
    made = await whole_life(books)
    await owner.execute("UPDATE outbox SET published_at = now() WHERE checkout_id = $1", made.id)
    for change in ("type = 'x'", "payload = '{}'", "sequence = 9", "published_at = now(), type = 'x'"):
        with pytest.raises(asyncpg.RestrictViolationError, match="no change but published_at"):
            await owner.execute(f"UPDATE outbox SET {change} WHERE checkout_id = $1", made.id)
    for removal in ("DELETE FROM outbox", "TRUNCATE outbox"):
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await owner.execute(removal)


async def test_the_product_runs_with_exactly_the_rights_it_needs(owner: asyncpg.Connection) -> None:
    """Every table's rights, and every column that may be updated, and no table outside the list."""
    tables = {r[0] for r in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert tables == set(MAY)
    for table in tables:
        verbs = ("DELETE", "INSERT", "SELECT", "TRUNCATE", "UPDATE", "TRIGGER", "REFERENCES")
        held = [v for v in verbs if await owner.fetchval("SELECT has_table_privilege($1, $2, $3)", APP_ROLE, table, v)]
        assert " ".join(held) == MAY[table], table
        if "UPDATE" in held:
            continue
        columns = await owner.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 "
            "AND has_column_privilege($2, attrelid, attnum, 'UPDATE') ORDER BY attname",
            table,
            APP_ROLE,
        )
        assert " ".join(row[0] for row in columns) == MAY_UPDATE.get(table, ""), table


async def test_the_product_is_refused_what_it_has_no_right_to(owner: asyncpg.Connection) -> None:
    """The role is not a login, owns nothing, and cannot switch a guard off."""
    assert not await owner.fetchval("SELECT rolcanlogin OR rolsuper FROM pg_roles WHERE rolname = $1", APP_ROLE)
    await owner.execute(f"SET ROLE {APP_ROLE}")
    for statement in (
        "DELETE FROM timeline",
        "UPDATE postings SET amount_minor = 0",
        "TRUNCATE transactions",
        "ALTER TABLE timeline DISABLE TRIGGER append_only",
        "SET session_replication_role = replica",
        "DROP TABLE postings",
        "CREATE TABLE mine (id int)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(statement)


async def test_a_transaction_must_balance_at_commit(owner: asyncpg.Connection, books: Books) -> None:
    """One-sided, off by one, balanced only across currencies, or without postings: refused, and only at commit."""
    made = await whole_life(books)
    await owner.execute(f"SET ROLE {APP_ROLE}")
    for postings in (
        [("stripe:sales", "EUR", -1)],
        [("stripe:sales", "EUR", -100), ("stripe:balance", "EUR", 101)],
        [("stripe:sales", "EUR", -100), ("stripe:balance", "USD", 100)],
        [],
    ):
        change = owner.transaction()
        await change.start()
        await move(owner, made.id, postings)
        with pytest.raises(asyncpg.CheckViolationError) as caught:
            await change.commit()
        assert caught.value.constraint_name == "transaction_balances"
    change = owner.transaction()
    await change.start()
    await move(owner, made.id, [("stripe:sales", "EUR", -100), ("stripe:balance", "EUR", 100)])
    await change.commit()


async def test_a_posting_added_later_must_balance_too(owner: asyncpg.Connection, books: Books) -> None:
    """A line added to a transaction that stands already is refused when it leaves it unbalanced."""
    made = await whole_life(books)
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await owner.execute("INSERT INTO postings VALUES ($1, 9, 'stripe:balance', 'EUR', 1)", f"{made.id}/3/0")


async def move(connection: asyncpg.Connection, checkout_id: str, postings: list[tuple[str, str, int]]) -> None:
    """A transaction of the checkout's third row with these postings, written by hand."""
    id_ = f"{checkout_id}/by-hand"
    await connection.execute("INSERT INTO transactions VALUES ($1, $2, 3, 7, 'capture', 'pi', now())", id_, checkout_id)
    for position, posting in enumerate(postings):
        await connection.execute("INSERT INTO postings VALUES ($1, $2, $3, $4, $5)", id_, position, *posting)


async def test_a_table_of_the_session_fools_no_guard(owner: asyncpg.Connection, books: Books) -> None:
    """A temporary table named as one of the books' own, with lines that balance, makes nothing else balance."""
    made = await whole_life(books)
    await owner.execute(f"SET ROLE {APP_ROLE}")
    await owner.execute("CREATE TEMPORARY TABLE postings (transaction_id text, currency text, amount_minor bigint)")
    id_ = f"{made.id}/by-hand"
    await owner.execute("INSERT INTO pg_temp.postings VALUES ($1, 'EUR', 0)", id_)
    change = owner.transaction()
    await change.start()
    await owner.execute("INSERT INTO public.transactions VALUES ($1, $2, 3, 7, 'capture', 'pi', now())", id_, made.id)
    await owner.execute("INSERT INTO public.postings VALUES ($1, 0, 'stripe:balance', 'EUR', 4200)", id_)
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await change.commit()
