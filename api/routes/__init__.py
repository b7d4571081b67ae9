"""HTTP requests in, public JSON out; one module for each noun."""
