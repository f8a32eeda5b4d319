"""Typed settings, read once at the edges."""
