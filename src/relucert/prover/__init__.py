"""Finding proofs. Nothing here is trusted: what it writes is checked by `relucert.proof`."""
