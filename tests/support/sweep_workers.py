"""Worker processes of the tests: real Python programs that misbehave."""

import sys

_HEAD = """
import json, os, subprocess, sys, time
def say(record):
    print(json.dumps(record), flush=True)
def answer(request):
    say({"begun": request["number"]})
    say({"number": request["number"], "verdict": "proved", "how": "bounds", "seconds": 0.001,
         "resident": 1000, "detail": "", "witness": []})
say({"ready": True})
for line in sys.stdin:
    request = json.loads(line)
    if request["row"] == BAD:
        FAULT
    answer(request)
"""

_REAL = """
import ctypes, sys
from relucert.sweep import worker
real = worker._verdict
def poisoned(network, query, request):
    if request["row"] == BAD:
        FAULT
    return real(network, query, request)
worker._verdict = poisoned
worker.main()
"""


def fake(fault, bad=1):
    """A command whose process answers at once that all is proved, but for one row."""
    return (sys.executable, "-c", _HEAD.replace("BAD", str(bad)).replace("FAULT", fault))


def poisoned(fault, bad=1):
    """A command that starts the real worker, but for one row."""
    return (sys.executable, "-c", _REAL.replace("BAD", str(bad)).replace("FAULT", fault))
