"""The tables of those who take orders: what is there to be sold, and what of it is set aside for which checkout."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Table, Text

from ledger.columns import metadata, moment, words

orders_stock = Table(
    "orders_stock",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("available", BigInteger, nullable=False),
    moment("changed_at", default="now()"),
    CheckConstraint("available >= 0", name="stock_is_there"),
)

orders_reservations = Table(
    "orders_reservations",
    metadata,
    Column("checkout_id", Text, primary_key=True),
    words("sku"),
    Column("quantity", BigInteger, nullable=False),
    words("state"),
    moment("decided_at"),
    moment("returned_at", nullable=True),
    CheckConstraint("quantity > 0", name="reservation_is_positive"),
    CheckConstraint("state IN ('reserved', 'refused', 'returned')", name="reservation_state"),
    CheckConstraint("(state = 'returned') = (returned_at IS NOT NULL)", name="return_is_whole"),
    Index("reservations_by_time", "decided_at"),
    Index("reservations_by_sku", "sku", "state"),
)
