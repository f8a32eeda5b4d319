"""Events leave the outbox: subjects that are no checkouts, word of every commit, and what subscribers have consumed."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add what is new; every row there is stays as it was."""
    script = Path(__file__).with_name("r0006_events.sql").read_text(encoding="utf-8")
    # Past SQLAlchemy, which prepares each statement: only plain execution takes a script of several at once.
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))  # type: ignore[union-attr]
