"""Which engine works on a case, for how long, and what each leaves to the next."""
