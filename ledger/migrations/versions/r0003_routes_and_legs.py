"""Checkouts that the rules routed, checkouts in several tenders, and deliveries found by what they are about."""

from alembic import op

revision = "0003"
down_revision = "0002"

_STATEMENTS = (
    "ALTER TABLE checkouts ADD COLUMN alternatives text[] NOT NULL DEFAULT '{}'",
    "ALTER TABLE checkouts ADD COLUMN route text",
    "ALTER TABLE checkouts ADD COLUMN parent_id text CONSTRAINT leg_of_checkout REFERENCES checkouts (id)",
    "ALTER TABLE checkouts ADD COLUMN leg integer",
    "ALTER TABLE checkouts ADD CONSTRAINT leg_has_parent CHECK ((parent_id IS NULL) = (leg IS NULL))",
    # The legs of a split checkout carry its order's id.
    "ALTER TABLE checkouts DROP CONSTRAINT one_checkout_per_order",
    "CREATE UNIQUE INDEX one_checkout_per_order ON checkouts (order_id) WHERE parent_id IS NULL",
    "CREATE UNIQUE INDEX one_checkout_per_leg ON checkouts (parent_id, leg) WHERE parent_id IS NOT NULL",
    "CREATE INDEX inbox_by_reference ON webhook_inbox (gateway, reference, received_at)",
    "CREATE INDEX inbox_by_time ON webhook_inbox (gateway, received_at)",
)


def upgrade() -> None:
    """Add what is new; every row there is stays as it was."""
    for statement in _STATEMENTS:
        op.execute(statement)
