"""Everything RegTape can fail with, as one tree.

RegTapeError
├── BadRequest (ValueError)       you asked for something that cannot be meant
├── NotKnown (LookupError)        you named something we do not hold
├── Unreadable (ValueError)       a document cannot be turned into text; has a reason and a hint
├── OverBudget (RuntimeError)     work was stopped at its limit of time, memory or size
├── SourceDown (ConnectionError)  something outside did not answer
├── ModelMissing (RuntimeError)   weights, or the package that carries them, are not installed
└── Damaged (RuntimeError)        the catalog and what is derived from it disagree

Standard library only, at module level: every other module may import this one. Each error takes one
sentence that says what happened and, where there is something to do, what to do. Builtins as second
parents keep plain `except ValueError` working. HTTP statuses live in api/problems.py.
"""


class RegTapeError(Exception):
    """Anything that RegTape itself raises."""


class BadRequest(RegTapeError, ValueError):
    """You asked for something that cannot be meant."""


class NotKnown(RegTapeError, LookupError):
    """You named something we do not hold."""


class Unreadable(RegTapeError, ValueError):
    """A document cannot be turned into text.

    reason: a short code for the ledger ("empty", "encrypted", "no-text", "truncated", "not-utf-8",
    "too-large", "too-deep", "unknown-format", "damaged"); hint: what a person can do about it.
    """

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.hint = hint

    def __reduce__(self) -> tuple[type["Unreadable"], tuple[str, str, str]]:
        return Unreadable, (
            self.reason,
            str(self),
            self.hint,
        )  # crosses the worker's process boundary


class OverBudget(RegTapeError, RuntimeError):
    """Work was stopped at its limit of time, memory or size.

    reason: "time", "memory", "size" or "pages"; hint: which option raises the limit.
    """

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.hint = hint

    def __reduce__(self) -> tuple[type["OverBudget"], tuple[str, str, str]]:
        return OverBudget, (self.reason, str(self), self.hint)


class SourceDown(RegTapeError, ConnectionError):
    """Something outside did not answer."""


class ModelMissing(RegTapeError, RuntimeError):
    """Weights, or the package that carries them, are not installed."""


class Damaged(RegTapeError, RuntimeError):
    """The catalog and what is derived from it disagree."""
