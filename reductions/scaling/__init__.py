"""Measuring how hard instances grow: one formula, many solvers, each through its reduction."""
