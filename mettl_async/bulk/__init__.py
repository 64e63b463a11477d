"""Registering many: batches of at most 20, run concurrently, one outcome per candidate."""
