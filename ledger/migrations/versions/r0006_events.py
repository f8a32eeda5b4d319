"""Events leave the outbox: subjects that are no checkouts, word of every commit, and what subscribers have consumed."""

from pathlib import Path

from ledger.migrations.scripts import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add what is new; every row there is stays as it was."""
    run_script(Path(__file__).with_suffix(".sql"))
