"""Search: falsification and enumeration of activation patterns."""
