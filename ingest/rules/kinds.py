"""The nouns of the rulebook: what happened to a rule, whose event it is, what its date is, and where it is said."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class EventKind(StrEnum):
    """What happened to a rule, a proposal or an order."""

    PROPOSED = "proposed"
    REOPENED = "reopened"
    COMMENT_DEADLINE = "comment_deadline"
    ADOPTED = "adopted"
    EFFECTIVE = "effective"
    COMPLIANCE = "compliance"
    CORRECTED = "corrected"
    DELAYED = "delayed"
    STAYED = "stayed"
    LIFTED = "lifted"
    UPHELD = "upheld"  # a court denied the petitions for review
    VACATED = "vacated"
    WITHDRAWN = "withdrawn"
    EXEMPTED = "exempted"
    SUNSET = "sunset"
    APPROVED = "approved"
    SUSPENDED = "suspended"


class About(StrEnum):
    """Whose event it is, seen from the document that states it."""

    OWN = "own"  # of the rule the document is about, by this or an earlier release
    EARLIER = "earlier status"  # what became of the same rule before
    OTHER = "other rulemaking"


class Role(StrEnum):
    """What the date is."""

    EVENT = "event"  # the day itself
    ACTION = "action"  # when the order was made
    NEW_DATE = "new_date"  # what a date was moved to
    END = "end"  # of relief


@dataclass(frozen=True, slots=True)
class RuleEvent:
    """One event as one passage states it.

    sections   of 17 CFR, "242.612(b)" or "242.612"; () where the passage and its document name none
    by_name    the sections come from what the rule is called, not from a number
    release    of the event ("34-51808"), None where it is not known
    on         civil day in New York, or None; `relative` is then the wording ("60 days after publication ...")
    change     "conforming" where only references change, "limited" where relief is for those it names, "relief" where what
               ends is relief from the rule and not the rule, "proposal" where what is put off is to decide on one, else ""
    removes    those of the sections that are, or would be, removed
    partly     those of the sections of which only "certain aspects" or "certain requirements" are meant
    start, end half-open offsets of the passage in Document.text
    """

    kind: EventKind
    sections: tuple[str, ...]
    release: str | None
    on: date | None
    relative: str | None
    role: Role | None
    about: About
    start: int
    end: int
    change: str = ""
    by_name: bool = False
    removes: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
