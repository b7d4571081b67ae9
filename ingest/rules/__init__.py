"""Documents in; rule events, the state of a rule on a day, and what a rule does to the book, out."""
