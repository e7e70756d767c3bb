"""Run lists of instances with known answers, alone or in turn with other verifiers."""

from relucert.bench.instances import Instance, read_list
from relucert.bench.options import BenchOptions
from relucert.bench.peers import Peer, parse_peers
from relucert.bench.results import OWN_NAME, Measurement
from relucert.bench.run import run_bench
from relucert.bench.tables import (
    COMPARISON_HEADER,
    FAMILY_HEADER,
    Disagreement,
    comparison_rows,
    disagreements,
    family_rows,
    judged,
)

__all__ = [
    "COMPARISON_HEADER",
    "FAMILY_HEADER",
    "OWN_NAME",
    "BenchOptions",
    "Disagreement",
    "Instance",
    "Measurement",
    "Peer",
    "comparison_rows",
    "disagreements",
    "family_rows",
    "judged",
    "parse_peers",
    "read_list",
    "run_bench",
]
