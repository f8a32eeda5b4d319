"""Brokers behind one contract: which one carries the events is a setting."""
