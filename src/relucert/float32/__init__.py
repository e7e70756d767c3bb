"""The network as executed in float32: error bounds, executions, verdicts."""
