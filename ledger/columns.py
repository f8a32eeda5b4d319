"""What the tables are made of: the one collection of them, and the columns that most have."""

from sqlalchemy import Column, DateTime, MetaData, Text, text

metadata = MetaData()


def moment(name: str, *, nullable: bool = False, default: str | None = None) -> Column[object]:
    """A moment in time, with its zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=text(default) if default else None)


def words(name: str, *, nullable: bool = False) -> Column[str]:
    """A text of any length."""
    return Column(name, Text, nullable=nullable)
