"""The problems: immutable instances with an exact check and enumeration for tiny ones."""
