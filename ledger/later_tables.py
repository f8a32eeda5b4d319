"""The tables of what comes after a sale: refunds, disputes, cases, and how far the gateways' own lists were read."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ledger.columns import metadata, moment, words

refunds = Table(
    "refunds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("checkout_id", Text, ForeignKey("checkouts.id", name="refund_of_checkout"), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    words("currency"),
    words("reason", nullable=True),
    moment("created_at"),
    CheckConstraint("amount_minor > 0", name="refund_is_positive"),
    Index("refunds_by_checkout", "checkout_id", "created_at"),
)

refund_status = Table(
    "refund_status",
    metadata,
    Column("refund_id", Text, ForeignKey("refunds.id", name="status_of_refund"), primary_key=True),
    words("state"),
    words("gateway_refund_id", nullable=True),
    Column("failure", JSONB(none_as_null=True)),
    moment("updated_at"),
    CheckConstraint("state IN ('pending', 'succeeded', 'failed')", name="refund_state"),
    Index("refunds_pending", "refund_id", postgresql_where=text("state = 'pending'")),
)

disputes = Table(
    "disputes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("checkout_id", Text, ForeignKey("checkouts.id", name="dispute_of_checkout"), nullable=False),
    words("gateway"),
    words("gateway_dispute_id"),
    moment("opened_at"),
    UniqueConstraint("gateway", "gateway_dispute_id", name="one_dispute_per_gateway_id"),
    Index("disputes_by_checkout", "checkout_id", "opened_at"),
    Index("disputes_by_time", "opened_at", "id"),
)

dispute_status = Table(
    "dispute_status",
    metadata,
    Column("dispute_id", Text, ForeignKey("disputes.id", name="status_of_dispute"), primary_key=True),
    words("payment_id", nullable=True),
    words("reference", nullable=True),
    Column("amount_minor", BigInteger, nullable=False),
    Column("withdrawn_minor", BigInteger, nullable=False),
    words("currency"),
    words("state"),
    words("reason"),
    Column("live", Boolean, nullable=False),
    moment("respond_by", nullable=True),
    moment("updated_at"),
    words("answered", nullable=True),
    moment("answered_at", nullable=True),
    CheckConstraint("(answered IS NULL) = (answered_at IS NULL)", name="answer_is_whole"),
    Index(
        "disputes_open",
        "dispute_id",
        postgresql_where=text("state IN ('inquiry', 'needs_response', 'under_review')"),
    ),
)

dispute_evidence = Table(
    "dispute_evidence",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dispute_id", Text, ForeignKey("disputes.id", name="evidence_of_dispute"), nullable=False),
    words("by"),
    moment("at", default="now()"),
    Column("evidence", JSONB, nullable=False),
    Index("evidence_by_dispute", "dispute_id", "at"),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    words("checkout_id"),
    words("kind"),
    words("message"),
    words("workflow_id"),
    Column("amount_minor", BigInteger, nullable=False),
    words("currency"),
    words("subject", nullable=True),
    Column("sequence", Integer, nullable=False),
    moment("opened_at"),
    Column("closed_sequence", Integer),
    moment("closed_at", nullable=True),
    words("closed_how", nullable=True),
    ForeignKeyConstraint(
        ["checkout_id", "sequence"], ["timeline.checkout_id", "timeline.sequence"], name="case_of_row"
    ),
    ForeignKeyConstraint(
        ["checkout_id", "closed_sequence"], ["timeline.checkout_id", "timeline.sequence"], name="case_closed_by_row"
    ),
    CheckConstraint(
        "num_nulls(closed_sequence, closed_at, closed_how) IN (0, 3)",
        name="closing_is_whole",
    ),
    Index(
        "one_open_case",
        "checkout_id",
        "kind",
        "subject",
        unique=True,
        postgresql_where=text("closed_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    ),
    Index("cases_by_time", "opened_at", "id"),
    Index("cases_by_checkout", "checkout_id", "opened_at"),
    Index("cases_open", "opened_at", "id", postgresql_where=text("closed_at IS NULL")),
)

poll_marks = Table(
    "poll_marks",
    metadata,
    Column("gateway", Text, primary_key=True),
    moment("listed_until"),
    moment("at", default="now()"),
)
