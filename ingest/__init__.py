"""What comes in: documents and news, parsed, chunked, embedded, indexed, each with the moment it was known."""
