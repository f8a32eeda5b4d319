"""The tables of webhooks to shops: who hears of what, and what became of each delivery."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
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
from sqlalchemy.dialects.postgresql import ARRAY

from ledger.columns import metadata, moment, words

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Text, primary_key=True),
    words("url"),
    Column("events", ARRAY(Text), nullable=False),
    Column("state", Text, nullable=False, server_default=text("'enabled'")),
    words("created_by"),
    moment("created_at", default="now()"),
    moment("updated_at", default="now()"),
    moment("failing_since", nullable=True),
    moment("disabled_at", nullable=True),
    words("disabled_reason", nullable=True),
    CheckConstraint("cardinality(events) > 0", name="endpoint_hears_something"),
    CheckConstraint("state IN ('enabled', 'disabled', 'removed')", name="endpoint_state"),
    CheckConstraint(
        "(state = 'enabled') = (disabled_at IS NULL) AND (disabled_at IS NULL) = (disabled_reason IS NULL)",
        name="disabling_is_whole",
    ),
    Index("webhook_endpoints_by_time", "created_at", "id"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("endpoint_id", Text, ForeignKey("webhook_endpoints.id", name="secret_of_endpoint"), nullable=False),
    words("secret"),
    words("request", nullable=True),
    moment("created_at", default="now()"),
    moment("expires_at", nullable=True),
    UniqueConstraint("endpoint_id", "request", name="one_secret_per_request"),
    Index("webhook_secrets_by_endpoint", "endpoint_id", "id"),
)

webhook_messages = Table(
    "webhook_messages",
    metadata,
    Column("event_id", Text, primary_key=True),
    words("type"),
    words("subject"),
    Column("sequence", BigInteger, nullable=False),
    moment("occurred_at"),
    Column("body", LargeBinary, nullable=False),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("endpoint_id", Text, ForeignKey("webhook_endpoints.id", name="delivery_to_endpoint"), nullable=False),
    Column("event_id", Text, ForeignKey("webhook_messages.event_id", name="delivery_of_message"), nullable=False),
    Column("state", Text, nullable=False, server_default=text("'pending'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    moment("created_at", default="now()"),
    moment("leased_until", nullable=True),
    moment("started_at", nullable=True),
    moment("next_attempt_at", nullable=True),
    moment("finished_at", nullable=True),
    UniqueConstraint("endpoint_id", "event_id", name="one_delivery_per_endpoint"),
    CheckConstraint("state IN ('pending', 'delivered', 'failed', 'endpoint_disabled')", name="delivery_state"),
    CheckConstraint("(state = 'pending') = (finished_at IS NULL)", name="end_is_whole"),
    Index("webhook_deliveries_listing", "endpoint_id", "created_at", "id"),
    Index("webhook_deliveries_by_state", "endpoint_id", "state", "created_at", "id"),
    Index(
        "webhook_deliveries_unstarted",
        "created_at",
        "id",
        postgresql_where=text("started_at IS NULL AND state = 'pending'"),
    ),
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("delivery_id", Text, ForeignKey("webhook_deliveries.id", name="attempt_of_delivery")),
    Column("number", Integer),
    moment("at"),
    Column("by_hand", Boolean, nullable=False),
    Column("status", Integer),
    words("error", nullable=True),
    Column("milliseconds", Integer, nullable=False),
    words("answer"),
    PrimaryKeyConstraint("delivery_id", "number", name="one_attempt_per_number"),
    CheckConstraint("(status IS NULL) <> (error IS NULL)", name="answer_or_error"),
)
