"""The history of the schema. Each revision is written by hand and never changed once released."""
