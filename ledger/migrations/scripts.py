"""Revisions that are written in SQL: their scripts lie beside them."""

from pathlib import Path

from alembic import op


def run_script(path: Path) -> None:
    """Run a whole file, in the revision's transaction.

    Past SQLAlchemy, which prepares each statement: only plain execution takes a script of several at once.
    """
    script = path.read_text(encoding="utf-8")
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))  # type: ignore[union-attr]
