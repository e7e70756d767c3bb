"""One hard question as many: its box is divided into cubes, which any executor certifies."""
