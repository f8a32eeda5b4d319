"""Webhooks to shops: endpoints with their secrets, what is to be delivered to them, and every try."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add what is new; every row there is stays as it was."""
    script = Path(__file__).with_name("r0009_webhook_endpoints.sql").read_text(encoding="utf-8")
    # Past SQLAlchemy, which prepares each statement: only plain execution takes a script of several at once.
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))  # type: ignore[union-attr]
