"""How the tests of this directory run: on `trio.run`, in functions that pytest sees as plain ones."""

import functools

import trio

MOST_SECONDS = 60


def on_trio(test):
    """Run an async test on trio; one that hangs fails, unless it is shielded."""

    async def bounded(test):
        with trio.fail_after(MOST_SECONDS):
            await test()

    @functools.wraps(test)
    def run(**fixtures):
        trio.run(bounded, functools.partial(test, **fixtures))

    return run


async def leak_a_cancellation():
    """A `trio.Cancelled` whose scope is over, as careless code may keep and raise one."""
    leaked = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as exc:
            leaked.append(exc)
            raise
    return leaked[0]
