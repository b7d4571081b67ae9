"""News to numbers: a log of what was known when, and the scores that models give it."""
