"""HTTP in: authenticate, validate, start or update a workflow, answer. No money logic."""
