"""The running program: command line, HTTP, settings, and the one place where parts are chosen."""
