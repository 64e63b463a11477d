"""The command ``mettl``, also ``python -m mettl_async``."""

from __future__ import annotations

import atexit
import gc
import sys
from importlib.util import find_spec

from mettl_async._version import __version__
from mettl_async.cli import streams

_COLLECT_AFTER = (200_000, 20, 20)


def main() -> None:
    """Run the command line; without the extra ``cli``, say how to get it and exit with 2."""
    streams.prepare()
    try:
        _run()
    except KeyboardInterrupt:  # before a command could say how to end
        sys.exit(130)
    except OSError as error:  # of help, for instance; commands tell of their own
        streams.forget(sys.stdout)
        sys.stderr.write(f"mettl: stdout cannot be written: {error.strerror}\n")
        sys.exit(2)


def _run() -> None:
    if sys.argv[1:] == ["--version"]:  # at once: a command line takes a while to load
        sys.stdout.write(f"mettl-async {__version__}\n")
        sys.stdout.flush()
        return
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f'mettl: the command line needs {" and ".join(missing)}: pip install "mettl-async[cli]"\n'
        )
        sys.exit(2)
    # What a command makes lasts as long as it does, or has no circles: to look often is of no use.
    gc.set_threshold(*_COLLECT_AFTER)
    # Nor at the end: files and connections are closed by then, and the process frees the memory.
    atexit.register(gc.freeze)
    from mettl_async.cli.app import app  # noqa: PLC0415 - needs the extra

    app(prog_name="mettl")


if __name__ == "__main__":
    main()
