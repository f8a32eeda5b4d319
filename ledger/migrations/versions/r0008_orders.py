"""Stock, and what of it is set aside for which checkout."""

from pathlib import Path

from ledger.migrations.scripts import run_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add what is new; every row there is stays as it was."""
    run_script(Path(__file__).with_suffix(".sql"))
