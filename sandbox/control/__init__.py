"""The control interface: what a person or a test may do that no gateway allows."""
