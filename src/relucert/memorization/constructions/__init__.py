"""Networks that robustly memorize any separated data set, one construction a file."""
