"""Command lines in, output and an exit code out; one module for each command, everything heavy imported when called."""
