"""Bulk work that outlives its machines: hand it in, leave, and let any number of workers do it."""
