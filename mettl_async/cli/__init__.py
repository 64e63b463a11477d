"""The command ``mettl``: wiring in ``app.py``, one module for each thing it does.

Exit codes: 0 all done; 1 something is missing: candidates not registered, results that cannot be read,
a report that is not there yet; 2 wrong usage, configuration, rows or files, or a call failed; 130
by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.
"""
