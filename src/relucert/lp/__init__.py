"""Linear programmes: solver-neutral rows, HiGHS in memory, rigorous and exact answers."""
