"""Proofs that queries hold: the file format and a checker that trusts no prover."""
