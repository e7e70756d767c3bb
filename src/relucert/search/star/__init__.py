"""Star-form search for networks with few varying inputs, compiled with numba.

`problem` flattens a network and a case into arrays (no numba needed); `forms` writes every
pre-activation as a function of the inputs and the unstable neurons, with bounded rounding;
`ascent`, `simplex` and `duals` improve the bound of a box; `points` looks for counterexamples;
`branching` and `loop` are the branch and bound. Only modules that compile import numba.
"""
