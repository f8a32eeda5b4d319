"""Services that act on events, each a process of its own with a name, tables and a pace of its own."""
