"""The tables of analytics: what each day came to, and what was last known of each checkout on a day."""

from sqlalchemy import BigInteger, Column, Date, Integer, PrimaryKeyConstraint, Table

from ledger.columns import metadata, moment, words

analytics_daily = Table(
    "analytics_daily",
    metadata,
    Column("day", Date, nullable=False),
    words("gateway"),
    words("currency"),
    words("outcome"),
    Column("count", BigInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),
    PrimaryKeyConstraint("day", "gateway", "currency", "outcome", name="one_total_per_outcome"),
)

analytics_checkouts = Table(
    "analytics_checkouts",
    metadata,
    words("checkout_id"),
    Column("day", Date, nullable=False),
    Column("last_sequence", Integer, nullable=False),
    Column("captured_minor", BigInteger, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    moment("created_at", nullable=True),
    moment("paid_at", nullable=True),
    PrimaryKeyConstraint("checkout_id", "day", name="one_state_per_day"),
)
