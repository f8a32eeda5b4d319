"""Events on their way to those who listen, for every gateway."""
