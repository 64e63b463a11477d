"""Async Python client for the Mercer | Mettl "Examine" REST API."""

from mettl_async._version import __version__

__all__ = ["__version__"]
