"""The tables as the stores see them. The migrations make them; a test keeps the two alike.

What comes after a sale has its tables in `later_tables`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from ledger import endpoint_tables, later_tables, order_tables, subscriber_tables
from ledger.columns import metadata, moment, words

__all__ = ["endpoint_tables", "later_tables", "metadata", "order_tables", "subscriber_tables"]

checkouts = Table(
    "checkouts",
    metadata,
    Column("id", Text, primary_key=True),
    words("order_id"),
    Column("amount_minor", BigInteger, nullable=False),
    words("currency"),
    words("gateway"),
    words("capture"),
    Column("confirm_within_seconds", Integer),
    moment("created_at"),
    moment("expires_at"),
    words("return_url", nullable=True),
    words("email", nullable=True),
    Column("metadata", JSONB(none_as_null=True)),
    Column("alternatives", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    words("route", nullable=True),
    Column("parent_id", Text, ForeignKey("checkouts.id", name="leg_of_checkout")),
    Column("leg", Integer),
    Column("on_hold_expiry", Text, nullable=False, server_default=text("'cancel'")),
    Index("one_checkout_per_order", "order_id", unique=True, postgresql_where=text("parent_id IS NULL")),
    Index("one_checkout_per_leg", "parent_id", "leg", unique=True, postgresql_where=text("parent_id IS NOT NULL")),
    CheckConstraint("(parent_id IS NULL) = (leg IS NULL)", name="leg_has_parent"),
    CheckConstraint("amount_minor > 0", name="amount_is_positive"),
)

checkout_status = Table(
    "checkout_status",
    metadata,
    Column("checkout_id", Text, ForeignKey("checkouts.id", name="status_of_checkout"), primary_key=True),
    words("gateway"),
    moment("created_at"),
    words("state"),
    words("payment_id", nullable=True),
    Column("captured_minor", BigInteger, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("next_action", JSONB(none_as_null=True)),
    Column("failure", JSONB(none_as_null=True)),
    Column("stuck", Boolean, nullable=False),
    words("waiting_for", nullable=True),
    Column("last_sequence", Integer, nullable=False),
    words("last_hash"),
    moment("updated_at"),
    UniqueConstraint("gateway", "payment_id", name="one_checkout_per_payment"),
    Index("listing", "created_at", "checkout_id"),
    Index("listing_by_state", "state", "created_at", "checkout_id"),
    Index("listing_by_gateway", "gateway", "created_at", "checkout_id"),
    Index("listing_of_stuck", "created_at", "checkout_id", postgresql_where=text("stuck")),
)

timeline = Table(
    "timeline",
    metadata,
    Column("checkout_id", Text, ForeignKey("checkouts.id", name="timeline_of_checkout")),
    Column("sequence", Integer),
    words("key"),
    words("state"),
    words("cause"),
    moment("at"),
    Column("details", JSONB, nullable=False),
    words("previous_hash"),
    words("hash"),
    PrimaryKeyConstraint("checkout_id", "sequence", name="one_row_per_sequence"),
    UniqueConstraint("checkout_id", "key", name="one_row_per_key"),
    CheckConstraint("sequence > 0", name="sequence_from_one"),
)

transactions = Table(
    "transactions",
    metadata,
    Column("id", Text, primary_key=True),
    words("checkout_id"),
    Column("sequence", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    words("kind"),
    words("reference"),
    moment("at"),
    UniqueConstraint("checkout_id", "sequence", "position", name="one_transaction_per_position"),
    ForeignKeyConstraint(
        ["checkout_id", "sequence"], ["timeline.checkout_id", "timeline.sequence"], name="transaction_of_row"
    ),
)

postings = Table(
    "postings",
    metadata,
    Column("transaction_id", Text, ForeignKey("transactions.id", name="posting_of_transaction")),
    Column("position", Integer),
    words("account"),
    words("currency"),
    Column("amount_minor", BigInteger, nullable=False),
    PrimaryKeyConstraint("transaction_id", "position", name="one_posting_per_position"),
)

operations = Table(
    "operations",
    metadata,
    Column("key", Text, primary_key=True),
    words("checkout_id"),
    words("gateway"),
    words("verb"),
    words("fingerprint"),
    Column("request", JSONB, nullable=False),
    moment("started_at", default="now()"),
    ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name="operation_of_checkout"),
    Index("operations_by_checkout", "checkout_id", "started_at"),
)

operation_answers = Table(
    "operation_answers",
    metadata,
    Column("operation_key", Text, ForeignKey("operations.key", name="answer_of_operation")),
    Column("attempt", Integer),
    words("state"),
    words("answer", nullable=True),
    moment("at", default="now()"),
    PrimaryKeyConstraint("operation_key", "attempt", name="one_answer_per_attempt"),
    CheckConstraint("state IN ('unknown', 'finished')", name="answer_state"),
    Index("one_final_answer", "operation_key", unique=True, postgresql_where=text("state = 'finished'")),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    words("subject"),
    Column("sequence", Integer, nullable=False),
    words("type"),
    Column("payload", JSONB, nullable=False),
    moment("created_at", default="clock_timestamp()"),
    moment("published_at", nullable=True),
    Column("checkout_id", Text, Computed(r"CASE WHEN (subject ~~ 'chk\_%'::text) THEN subject ELSE NULL::text END")),
    UniqueConstraint("subject", "sequence", name="one_event_per_row"),
    ForeignKeyConstraint(
        ["checkout_id", "sequence"], ["timeline.checkout_id", "timeline.sequence"], name="event_of_row"
    ),
    Index("outbox_unpublished", "subject", "sequence", postgresql_where=text("published_at IS NULL")),
    Index("outbox_unpublished_by_id", "id", postgresql_where=text("published_at IS NULL")),
    Index("outbox_by_time", "created_at", "id"),
)

consumed_events = Table(
    "consumed_events",
    metadata,
    words("subscriber"),
    words("event_id"),
    moment("occurred_at"),
    moment("at", default="now()"),
    PrimaryKeyConstraint("subscriber", "event_id", name="consumed_once"),
    Index("consumed_by_time", "subscriber", "occurred_at"),
)

webhook_inbox = Table(
    "webhook_inbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    words("gateway"),
    words("event_id"),
    words("type"),
    words("payment_id", nullable=True),
    words("reference", nullable=True),
    Column("live", Boolean, nullable=False),
    Column("relevant", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("verified", Boolean, nullable=False),
    moment("received_at"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    moment("next_attempt_at", default="now()"),
    moment("leased_until", nullable=True),
    moment("processed_at", nullable=True),
    words("outcome", nullable=True),
    words("dispute_id", nullable=True),
    Column("source", Text, nullable=False, server_default=text("'webhook'")),
    Column("replays", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("gateway", "event_id", name="one_row_per_event"),
    CheckConstraint("source IN ('webhook', 'poll')", name="event_source"),
    Index("inbox_by_dispute", "gateway", "dispute_id", postgresql_where=text("dispute_id IS NOT NULL")),
    Index("inbox_by_reference", "gateway", "reference", "received_at"),
    Index("inbox_by_time", "gateway", "received_at"),
    Index("inbox_unprocessed", "received_at", "id", postgresql_where=text("processed_at IS NULL")),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    words("name"),
    words("secret_hash"),
    Column("scopes", ARRAY(Text), nullable=False),
    moment("created_at", default="now()"),
    moment("revoked_at", nullable=True),
    UniqueConstraint("secret_hash", name="one_key_per_secret"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    words("api_key_id"),
    words("key"),
    words("fingerprint"),
    moment("started_at", default="now()"),
    Column("status", Integer),
    Column("body", LargeBinary),
    words("content_type", nullable=True),
    moment("finished_at", nullable=True),
    PrimaryKeyConstraint("api_key_id", "key", name="one_use_per_key"),
)

breakers = Table(
    "breakers",
    metadata,
    words("gateway"),
    words("operation"),
    Column("state", Text, nullable=False, server_default=text("'closed'")),
    moment("since", nullable=True),
    words("reason", nullable=True),
    Column("tallies", JSONB, nullable=False, server_default=text("'[]'")),
    Column("trips", Integer, nullable=False, server_default=text("0")),
    moment("next_probe_at", nullable=True),
    words("probe_holder", nullable=True),
    moment("probe_until", nullable=True),
    PrimaryKeyConstraint("gateway", "operation", name="one_breaker_per_operation"),
    CheckConstraint("state IN ('closed', 'open', 'half_open', 'forced_open')", name="breaker_state"),
    CheckConstraint("(probe_holder IS NULL) = (probe_until IS NULL)", name="probe_is_whole"),
)

breaker_events = Table(
    "breaker_events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    words("gateway"),
    words("operation"),
    words("from_state"),
    words("to_state"),
    words("reason", nullable=True),
    words("who"),
    moment("at"),
    ForeignKeyConstraint(["gateway", "operation"], ["breakers.gateway", "breakers.operation"], name="event_of_breaker"),
    Index("breaker_events_by_breaker", "gateway", "operation", "id"),
)
