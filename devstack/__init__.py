"""Starts, watches and stops the parts of a development system on one machine."""
