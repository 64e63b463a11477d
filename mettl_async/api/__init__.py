"""The methods of the client, one file per resource; thin, because `endpoints.py` describes endpoints as data."""
