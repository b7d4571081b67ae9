"""News to numbers. Empty until the news tape lands; the layer contract already holds it in place."""
