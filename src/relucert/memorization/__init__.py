"""Robust memorization: separation, constructions, decision, width bound, Lipschitz constants."""
