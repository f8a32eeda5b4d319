"""Payment gateways on the wire, each with its own books, for demonstrations, tests and fault runs."""
