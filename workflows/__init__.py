"""What happens to a checkout, in what order. Deterministic: no I/O, no clock, no randomness but Temporal's."""
