"""One page that shows how a formula becomes points, and what a network of two neurons does."""
