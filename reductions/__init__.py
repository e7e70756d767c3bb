"""Reductions from 3-SAT to robust memorization and to network verification, and back."""
