"""The relay: takes the events of the books to the broker, each subject's in order. `python -m events.relay` runs it."""
