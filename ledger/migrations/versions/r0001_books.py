"""The books, the stores beside them, and the role that may use them.

There is no way down: books are not deleted by a command.
"""

from pathlib import Path

from ledger.migrations.scripts import run_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table, then what guards them, then the role's rights."""
    for part in ("tables", "guards", "rights"):
        run_script(Path(__file__).with_name(f"r0001_{part}.sql"))
