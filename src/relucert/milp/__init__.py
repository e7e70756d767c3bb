"""The MILP engine: exact encodings of networks as mixed-integer programmes."""
