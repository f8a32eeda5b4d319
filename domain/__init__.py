"""Values and rules of payments: no I/O, no clock, no randomness, the standard library only."""
