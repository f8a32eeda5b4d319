"""Breakers that all processes share, and the history of their changes."""

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    """
    CREATE TABLE breakers (
        gateway text NOT NULL,
        operation text NOT NULL,
        state text NOT NULL DEFAULT 'closed'
            CONSTRAINT breaker_state CHECK (state IN ('closed', 'open', 'half_open', 'forced_open')),
        since timestamptz,
        reason text,
        tallies jsonb NOT NULL DEFAULT '[]',
        trips integer NOT NULL DEFAULT 0,
        next_probe_at timestamptz,
        probe_holder text,
        probe_until timestamptz,
        CONSTRAINT one_breaker_per_operation PRIMARY KEY (gateway, operation),
        CONSTRAINT probe_is_whole CHECK ((probe_holder IS NULL) = (probe_until IS NULL))
    )
    """,
    """
    CREATE TABLE breaker_events (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        gateway text NOT NULL,
        operation text NOT NULL,
        from_state text NOT NULL,
        to_state text NOT NULL,
        reason text,
        who text NOT NULL,
        at timestamptz NOT NULL,
        CONSTRAINT event_of_breaker FOREIGN KEY (gateway, operation) REFERENCES breakers (gateway, operation)
    )
    """,
    "CREATE INDEX breaker_events_by_breaker ON breaker_events (gateway, operation, id)",
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON breaker_events
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    "ALTER TABLE breaker_events ENABLE ALWAYS TRIGGER append_only",
    "GRANT SELECT, INSERT ON breakers, breaker_events TO paysaga_app",
    """
    GRANT UPDATE (state, since, reason, tallies, trips, next_probe_at, probe_holder, probe_until)
        ON breakers TO paysaga_app
    """,
)


def upgrade() -> None:
    """Make both tables, guard the history, and give the running role its rights."""
    for statement in _STATEMENTS:
        op.execute(statement)
