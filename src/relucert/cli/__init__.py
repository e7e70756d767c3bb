"""The command line: arguments in, facade called, result printed.

Exit codes: 0 all proved, 1 something violated, 2 bad input or usage, 3 something unknown,
130 and 143 ended by Ctrl-C and SIGTERM. Nothing is imported here before signals are watched.
"""

from __future__ import annotations

import signal
import sys

TYPE_CHECKING = False  # without typing, whose import takes longer than everything here
if TYPE_CHECKING:
    from typing import Any

__all__ = ["main"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: run, and turn every deliberate error into one line and an exit code."""
    received: list[int] = []
    _watch_signals(received)
    code = _code(arguments, received)
    if received:
        _leave(128 + received[0])
    sys.exit(code)


def _watch_signals(received: list[int]) -> None:
    """Ctrl-C and SIGTERM become KeyboardInterrupt, whose number is noted."""

    def stop(number: int, _frame: Any) -> None:
        received.append(number)
        raise KeyboardInterrupt

    try:
        for number in _SIGNALS:
            signal.signal(number, stop)
    except ValueError:  # not the main thread: signals are somebody else's
        pass


def _code(arguments: list[str] | None, received: list[int]) -> int:
    try:
        from relucert.cli.group import run

        return run(arguments)
    except KeyboardInterrupt:
        pass
    except Exception:
        # An extension that is interrupted while it is loaded raises what it likes.
        if not received:
            raise
    print("relucert: interrupted", file=sys.stderr)
    return 130


def _leave(code: int) -> None:
    """End at once: native code in other threads need not have noticed yet that it is to stop.

    Besides, after KeyboardInterrupt within ``exec`` (dataclasses use it) Python would end itself
    by SIGINT, whatever the exit code.
    """
    import os
    from contextlib import suppress

    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader may be gone
            stream.flush()
    os._exit(code)
