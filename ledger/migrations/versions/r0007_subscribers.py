"""What analytics keeps."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add its tables."""
    script = Path(__file__).with_name("r0007_subscribers.sql").read_text(encoding="utf-8")
    # Past SQLAlchemy, which prepares each statement: only plain execution takes a script of several at once.
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))  # type: ignore[union-attr]
