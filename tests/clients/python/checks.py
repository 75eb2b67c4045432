"""Runs checks one after the other, prints each with its outcome and never skips one."""

import asyncio
import inspect
import sys
import traceback


class Checks:
    """Named checks in their order; a check is a function, plain or async, that raises when it fails."""

    def __init__(self, client):
        self.client = client
        self.found = []

    def check(self, name, *arguments):
        """Decorates a check; `arguments` are handed to it."""

        def add(function):
            self.found.append((name, function, arguments))
            return function

        return add

    def both(self, name, modes):
        """Decorates a check that runs once for each mode: the client's plain calls and its async ones."""

        def add(function):
            for mode in modes:
                self.found.append((f"{name} ({mode.name})", function, (mode,)))
            return function

        return add

    def run(self):
        """Runs all in one event loop and ends the process: with 0 when all passed."""
        failed = asyncio.run(self._run())
        sys.exit(1 if failed or not self.found else 0)

    async def _run(self):
        failed = 0
        for name, function, arguments in self.found:
            try:
                outcome = function(*arguments)
                if inspect.isawaitable(outcome):
                    await outcome
            except Exception:
                failed += 1
                print(f"not ok  {self.client}: {name}")
                print("".join(f"        {line}\n" for line in traceback.format_exc().splitlines()), end="")
            else:
                print(f"ok      {self.client}: {name}")
        return failed


def equal(got, wanted, what="value"):
    """Raises unless both are equal, and says what they were."""
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


def holds(truth, what):
    """Raises unless it is so."""
    if not truth:
        raise AssertionError(what)


async def refused(kind, call):
    """Awaits the call, which must raise exactly this class of error, and answers the error."""
    try:
        outcome = call()
        if inspect.isawaitable(outcome):
            outcome = await outcome
    except Exception as error:
        equal(type(error), kind, f"class of {error!r}")
        return error
    raise AssertionError(f"wanted {kind.__name__}, got the answer {outcome!r}")
