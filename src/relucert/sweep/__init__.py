"""Sweeps: many points, radii and networks, on one machine or many, over a night if need be.

items -> executor -> supervisor -> worker process -> journal -> results. Every item is certified
by itself, with a seed of its own; so neither order, executor nor interruption changes a verdict.
"""
