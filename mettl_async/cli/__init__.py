"""The command ``mettl``: wiring in ``app.py``, one module for each thing it does.

Exit codes: 0 all done; 1 some candidates were not registered; 2 wrong usage, configuration, rows or
files; 130 interrupted.
"""
