"""The methods of the client, one file per resource; thin, for what an endpoint is stands as data."""
