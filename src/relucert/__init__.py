"""relucert: exact verification and complexity toolkit for ReLU networks."""
