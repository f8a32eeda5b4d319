"""What analytics keeps."""

from pathlib import Path

from ledger.migrations.scripts import run_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add its tables."""
    run_script(Path(__file__).with_suffix(".sql"))
