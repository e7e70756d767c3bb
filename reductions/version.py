"""The installed version, as generated files name it."""

from __future__ import annotations

import importlib.metadata
from functools import cache

__all__ = ["generator"]


@cache
def generator() -> str:
    """``relucert VERSION``; the version is "unknown" when run from a bare source tree."""
    try:
        return f"relucert {importlib.metadata.version('relucert')}"
    except importlib.metadata.PackageNotFoundError:
        return "relucert unknown"
