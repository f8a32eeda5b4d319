"""Refunds, disputes and cases on the books; events that the poller found, and events dispatched again."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what is new, with its guards and rights; every row there is stays as it was."""
    script = Path(__file__).with_name("r0005_after_the_sale.sql").read_text(encoding="utf-8")
    # Past SQLAlchemy, which prepares each statement: only plain execution takes a script of several at once.
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))  # type: ignore[union-attr]
