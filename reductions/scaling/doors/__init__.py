"""Doors: ways to decide a formula, directly or through a reduction and back."""
