"""Single steps of the checker, which takes them for many regions at once."""

from __future__ import annotations

from relucert.proof.bounding import bounded, lower_bounds
from relucert.proof.records import CloseRecord
from relucert.proof.region import Refused


def bounded_one(arithmetic, network, region, slopes):
    """The region with bounds anew; raises Refused."""
    (found,) = bounded(arithmetic, network, [region], [slopes])
    if isinstance(found, Refused):
        raise found
    return found


def lower_bound(arithmetic, network, region, objective, slopes, betas):
    """The bound of one region; raises Refused."""
    record = CloseRecord(0, {0: 1.0}, slopes, betas)
    (value,) = lower_bounds(arithmetic, network, [(region, record)], [objective])
    if isinstance(value, Refused):
        raise value
    return value
