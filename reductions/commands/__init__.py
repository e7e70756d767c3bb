"""The commands of the ``reductions`` program: arguments in, library called, result printed."""
