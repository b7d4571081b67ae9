"""Where documents come from besides a folder."""
