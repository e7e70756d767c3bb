"""One file a command: files read, facade called, results shown. No decisions of its own."""
