"""Bounds on pre-activations and outputs over a box, with every rounding error accounted for."""
