"""On PYTHONPATH in tests, so that every Python process that a test starts imports `sitecustomize` from here."""
