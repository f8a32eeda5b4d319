"""The books, the stores beside them, and the role that may use them.

There is no way down: books are not deleted by a command.
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table, then what guards them, then the role's rights."""
    for part in ("tables", "guards", "rights"):
        _execute(Path(__file__).with_name(f"r0001_{part}.sql").read_text(encoding="utf-8"))


def _execute(script: str) -> None:
    """Past SQLAlchemy, which prepares each statement: only plain execution takes a script of several at once."""
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))  # type: ignore[union-attr]
