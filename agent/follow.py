"""A question and the turns before it in, the question that stands alone out. Our own words and rules; no model, no clock.

    "What is the access fee cap for quotations priced at $1.00 or more under Rule 610(c)?"
    "and for quotations under a dollar?"   What is the access fee cap for quotations under a dollar under Rule 610(c)?
    "and in 2010?"                         What is the access fee cap for … under Rule 610(c) in 2010?
    "why?"                                 Why: the access fee cap for … under Rule 610(c)?
    "what did commenters say to that?"     What did commenters say to that (the access fee cap for … under Rule 610(c))?
    "does it apply to options?"            Does it apply to options (the access fee cap … under Rule 610(c))?
    "what about Rule 611?"                 What is the access fee cap for … under Rule 611?

A follow-up is told by what it lacks: it opens with "and" or "what about", points with a pronoun at what stands before, asks
with a bare "when?" or "why?", or holds no word of its own beside those of the turn before. Whatever it names anew replaces
what it corresponds to: a rule a rule, a date a date, a name a name, "for …" another "for …". All else is carried over. A
question that stands alone is left alone: better to miss a follow-up than to answer another question than was asked.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from agent.book import sections_named
from agent.reply import Answer
from ingest.civil import MONTH
from ingest.rules import names
from ingest.tokens import query_terms, terms

_LONGEST = 400  # characters of what is carried over


@dataclass(frozen=True, slots=True)
class Said:
    """What a turn was on. question: as typed; asked: as answered; sections: rules that it named, else those that its answer
    told the state of.
    """

    question: str
    asked: str
    sections: tuple[str, ...] = ()

    @classmethod
    def of(cls, question: str, asked: str, answer: Answer) -> Self:
        """Of a turn that was answered, or refused."""
        numbered, called = sections_named(asked)
        told = tuple(rule.section for rule in answer.rules)
        return cls(question, asked, numbered or called or told)

    def to_json(self) -> dict[str, Any]:
        """As a checkpoint holds it."""
        return asdict(self)


_TODAY = re.compile(r"\stoday\?$", re.I)


def resolve(question: str, said: Sequence[Said]) -> str:
    """The question with what it leaves to the turns before it; unchanged where it stands alone."""
    if not said:
        return question
    # "… today" answered "is that still so?"; what is asked next is asked of the thing again.
    last = replace(said[-1], asked=_TODAY.sub("?", said[-1].asked))
    words = question.strip()
    for read in (_still, _bare, _instead, _pointing, _thin):
        if found := read(words, last, said):
            return _tidy(found)
    return question


# ---- what a question is made of

_WH = r"(?:what|which|who|whom|whose|when|where|why|how)"
_AUX = (
    r"(?:is|are|was|were|do|does|did|has|have|had|must|may|can|could|should|would|will|might|shall)"
)
_OPENER = re.compile(
    r"^(?:(?:ok(?:ay)?|and|but|so|then|also|or|well|now|fine|right|thanks?|thank you)\b[,;:.!]?\s+)+",
    re.I,
)
_RULE = re.compile(
    r"(?:\b(?:amended|proposed|new|old|current|final)\s+)?"
    r"(?:\b[Rr]ules?\s+\d[\w.-]*(?:\(\w+\))*(?:(?:,?\s(?:and|or)\s|,\s)\d[\w.-]*(?:\(\w+\))*)*"
    r"|§+\s?\d[\w.-]*(?:\(\w+\))*|\b24[02]\.\d[\w.-]*(?:\(\w+\))*|\bReg(?:ulation|\.)?\s(?:NMS|SHO|ATS"
    r"|SCI|NM|M|SBSR|Best\sExecution)\b"
    r"|\b\d{1,2}[a-zA-Z]{1,2}\d{0,2}-\d{1,2}[a-z]?\b|\bForm\s[A-Z0-9-]+\b|\bMiFI(?:R|D)(?:\sII)?\b|\bRTS\s\d+\b)"
)
_DATE = re.compile(
    rf"(?P<lead>\b(?:as of|in|on|by|at|for|during|since|before|after|until)\s+(?:the\s+)?(?:start|end"
    rf"|beginning|middle)?\s?(?:of\s+)?)?"
    rf"(?P<date>(?:{MONTH}\.?\s\d{{1,2}},?\s\d{{4}}|\d{{1,2}}\s{MONTH}\s\d{{4}}|{MONTH}\.?\s\d{{4}}|\d{{4}}-\d\d-\d\d"
    rf"|(?:the\s)?(?:first|second|third|fourth)\squarter(?:\sof)?(?:\s\d{{4}})?|Q[1-4](?:\s\d{{4}})?"
    rf"|(?:fiscal(?:\syear)?\s)?(?:19[89]|20[0-4])\d))\b",
    re.IGNORECASE,
)
# A name of more than a rule: Visa, Wells Fargo, NSCC. What is written so in any question is none.
_NAME = re.compile(r"\b[A-Z][A-Za-z&.'-]+(?:\s(?:of\s|and\s)?[A-Z][A-Za-z&.'-]+)*\b")
_NO_NAME = frozenset(
    "SEC Commission NMS ATS ATSs SRO SROs EU Europe European US U.S. America American Rule Rules Regulation Reg Form Section "
    "Release MiFIR MiFID RTS CAT ETF ETFs NBBO SCI SHO I Q1 Q2 Q3 Q4 Treasury Treasuries TRACE".split()
)
_LEAD = re.compile(
    rf"^(?:by\s|from\s|since\s|until\s|for\s|at\s|in\s|under\s|to\s|of\s)?{_WH}\b(?:\s(?:much|many|long"
    rf"|soon|often|far|high|low|large|"
    rf"big|small|bad|fast))?(?:\s{_AUX}\b)?\s*|^{_AUX}\s+",
    re.I,
)


def _rules_in(words: str) -> str:
    """The rules as a question writes them, "" where it names none by number or regulation."""
    found = list(dict.fromkeys(m[0].strip() for m in _RULE.finditer(words)))
    return " and ".join(found[:2])


def _names_in(words: str) -> list[str]:
    """Names in a question, without its first word, months and what every question holds."""
    masked = _RULE.sub(lambda m: " " * len(m[0]), words)
    masked = _DATE.sub(lambda m: " " * len(m[0]), masked)
    found: list[str] = []
    for match in _NAME.finditer(masked):
        name = re.sub(r"(?:'s|’s|[.'])$", "", match[0])
        first = not masked[: match.start()].strip()
        if first and re.match(
            rf"(?:{_WH}|{_AUX}|and|but|so|the|a|an|according|under|for|on|in|by|at|as|from|to|of|if|some|any|"
            r"start|mid|end|above|below|over|counting)\b",
            name,
            re.I,
        ):
            name = name.partition(" ")[2]
        if name and not set(name.split()) <= _NO_NAME:
            found.append(name)
    return found


def _dates_in(words: str) -> list[re.Match[str]]:
    return list(_DATE.finditer(words))


_OBJECT = re.compile(
    rf"^(?:what|which|how\s(?:many|much))\s(?!{_AUX}\b|of\b)(?P<noun>[\w'’.-]+(?:\s[\w'’.-]+){{0,4}}?)\s"
    r"(?:did|do|does|must|should|would|will|may|can|could)\s(?P<rest>.+)$",
    re.I,
)


def _about(question: str) -> str:
    """What a question is on, without its "What is", "When must": words that can stand in brackets."""
    words = question.strip().rstrip("?. ")
    if asked := _OBJECT.match(
        words
    ):  # "What dividend did Costco announce" → "dividend, Costco announce"
        return f"{asked['noun']}, {asked['rest']}"[:_LONGEST]
    return _LEAD.sub("", words, count=1).strip(" ,:;")[:_LONGEST]


def _scope(last: Said) -> str:
    """The rules that the talk is on, else the names in it, else what its answer was on, else all that was asked."""
    if rules := _rules_in(last.asked):
        return rules
    if found := _names_in(last.asked):
        return ", ".join(found[:2])
    if last.sections and not any(sections_named(last.asked)):
        return " and ".join(_spoken(section) for section in last.sections[:2])
    return _about(last.asked)


def _spoken(section: str) -> str:
    return f"Rule {section.partition('.')[2]}"


def _plain(question: str) -> str:
    """Without its opener and its mark."""
    return _OPENER.sub("", question.strip()).rstrip("?!. ").strip()


def _content(words: str) -> list[str]:
    """Terms that tell something: [] of stop words alone."""
    found = query_terms(words)
    return (
        []
        if found == list(dict.fromkeys(terms(words))) and not query_terms(f"{words} zzz")[:-1]
        else found
    )


def _joined(first: str, more: str) -> str:
    return f"{first.rstrip('?. ')} ({more})?" if more else f"{first.rstrip('?. ')}?"


def _tidy(found: str) -> str:
    words = re.sub(r"\s+([,?.;:)])", r"\1", " ".join(found.split()))
    words = re.sub(r",+(?=\?)|\(\s*\)", "", words)
    return words[:1].upper() + words[1:]


# ---- the kinds of follow-up

_STILL = re.compile(
    r"^(?:is|are|was|does|do)\s(?:that|this|it|they|these|those)\s(?:still\s(?:so|true|the case|in force"
    r"|in effect|valid|right|the law|apply)|"
    r"(?:true|so|the case)\s(?:today|now)|still)(?:\s(?:today|now))?$|^still(?:\s(?:so|true|today|now))?$"
    r"|^(?:and\s)?(?:now|today|these days|currently)$",
    re.I,
)


def _still(question: str, last: Said, said: Sequence[Said]) -> str:
    """ "Is that still so?": the question before, of today; of a rule whose state is what is asked, its state."""
    plain = _plain(question)
    if not _STILL.match(plain):
        return ""
    before = last.asked.rstrip("?. ")
    for date in reversed(_dates_in(before)):
        if date["lead"] and not re.match(
            r"(?:for|before|after|since|until|by)\b", date["lead"], re.I
        ):
            before = before[: date.start()].rstrip(" ,") + before[date.end() :]
    before = re.sub(r"^\s*,\s*", "", before)
    if re.search(r"in force|in effect|valid|the law", plain, re.I) and (rules := _rules_in(before)):
        return f"Is {rules} still in force?"
    return f"{before} today?"


_BARE = re.compile(
    r"^(?P<ask>(?:(?:since|until|by|from|as of)\s)?when(?:\s(?:was|is)\s(?:that|this|it))?|why(?:\s(?:not"
    r"|so|is that|was that|that))?|how come|"
    r"how|by how much|how much|how many|how long|for how long|how often|by whom|for whom|to whom|who"
    r"|where|which(?:\sones?)?|what else|"
    r"what (?:day|date|year|rule|release|page)|according to whom|says who|who (?:said|says) (?:that|so"
    r"|this))(?:\s(?:exactly|then|please))?$",
    re.I,
)
_CLAUSE = re.compile(rf"^(?:{_AUX})\b\s", re.I)
_WH_CLAUSE = re.compile(
    r"^(?:(?:by|from|since|until)\s)?(?:when|where|why)\s(?P<rest>(?:did|does|do|must|will|would|should|may|can|could)\s.+)$",
    re.I,
)


_FILLER = re.compile(r"\s(?:was|is)\s(?:that|this|it)$|\s(?:is that|was that|that|so)$", re.I)


def _bare(question: str, last: Said, said: Sequence[Said]) -> str:
    """ "When?", "Why?", "By how much?": the same asked of what the turn before was on."""
    asked = _BARE.match(_plain(question))
    if not asked:
        return ""
    ask = _FILLER.sub("", asked["ask"])
    if _CLAUSE.match(last.asked):
        ask = re.sub(r"\snot$", "", ask, flags=re.I)
    before = last.asked.rstrip("?. ")
    if _CLAUSE.match(before):  # "Did the Commission …?" → "When did the Commission …?"
        return f"{ask} {before[0].lower()}{before[1:]}?"
    clause = _WH_CLAUSE.match(before)
    if clause and re.match(r"when|where|why|since|until|by|from|as of", ask, re.I):
        return f"{ask} {clause['rest']}?"
    about = _about(last.asked)
    if re.match(r"when$", ask, re.I) and _rules_in(last.asked):
        return f"When is it effective, and when is compliance required: {about}?"
    return f"{ask}: {about}?"


_ABOUT = re.compile(r"^(?:what|how)\s(?:about|of|is it with)\s+(?P<what>.+)$", re.I)
_PREPOSITION = re.compile(
    r"^(?P<word>for|in|under|on|at|by|with|from|to|of|before|after|since|until|as of|during|between|above"
    r"|below|over|about|against)\s",
    re.I,
)
_ENDS_PHRASE = (
    r"(?=\s(?:under|in|by|as of|on|according|before|after|since|when|if|would|must|should|did|does"
    r"|and (?:how|when|what))\b|[,;?](?!\d)|$)"
)


def _instead(question: str, last: Said, said: Sequence[Said]) -> str:
    """ "And for small brokers?", "what about Rule 610?", "and in 2023?": the question before, with that in place of its like."""
    plain = _plain(question)
    about = _ABOUT.match(plain)
    opened = bool(_OPENER.match(question.strip()))
    if not about and not opened and not _PREPOSITION.match(plain):
        return ""
    what = re.sub(r"(?i)^(?:their|its|his|her)\s", "", about["what"].strip() if about else plain)
    if not what or (not about and (_LEAD.match(what) or _POINTS.search(_THAT_MUCH.sub("", what)))):
        return ""
    if not about and not opened and len(_content(what)) > 4:
        return ""  # "Under Rule 612 …" begins a question of its own
    if re.search(rf"[,:]\s*(?:{_WH}|{_AUX})\b", what, re.I) or len(what.split()) > 14:
        return ""
    return _replaced(last, what)


_ADOPTED = re.compile(r"\b(?:as\s)?(?:finally\s)?(?P<stage>adopted|final|proposed)\b", re.I)
_STAGE = re.compile(
    r"^(?:(?:as|in|under|for|by|when)\s)?(?:the\s)?(?:first\s|finally\s)?(?P<stage>propos\w+|adopt\w+|final(?:\s\w+)?)$",
    re.I,
)
_FROM_THERE = re.compile(
    r"\b(?:at|of|from)\s\$[\d.,]*\d(?:\s(?:or|and)\s(?:more|less|above|below|greater|higher|lower|over|under))?",
    re.I,
)
_THAT_MUCH = re.compile(
    r"\b(?P<side>below|above|under|over|beneath|less than|more than)\s(?:that|this|it)$", re.I
)


def _replaced(last: Said, what: str) -> str:
    before = last.asked.rstrip("?. ")
    if stage := _STAGE.match(what):
        word = "proposed" if stage["stage"].lower().startswith("propos") else "adopted"
        old = _ADOPTED.search(before)
        if old and old["stage"].lower() != word:
            return _swap(before, old.start("stage"), old.end("stage"), word) + "?"
        return f"{before}, as {word}?"
    if not _PREPOSITION.match(what) and set(_content(what)) <= _GENERIC and _content(what):
        return _joined(f"What is {what}" if re.match("the ", what, re.I) else what, _scope(last))
    if (much := _THAT_MUCH.search(what)) and (
        amount := re.search(r"\$[\d.,]*\d|\d[\d.,]*%", before)
    ):
        what = f"{what[: much.start()]}{much['side']} {amount[0]}"
        if not what[: much.start()].strip() and (place := _FROM_THERE.search(before)):
            return _swap(before, place.start(), place.end(), what) + "?"
    rules = list(_RULE.finditer(before))
    named = _RULE.search(what)
    around = re.match(r"(?:before|after|since|until|prior to)\s", what, re.I)
    if around:
        for old in _dates_in(before)[-1:]:
            return _swap(before, old.start(), old.end(), what) + "?"
        return f"{before}, {what}?"
    if named and len(_content(_RULE.sub("", what))) <= 2:
        rule = re.sub(r"^(?:for|in|under|of|on|with)\s", "", what, flags=re.I)
        if rules:
            return _swap(before, rules[0].start(), rules[-1].end(), rule) + "?"
        return f"{before}, under {rule}?"
    if any(sections_named(what)) and not rules and len(what.split()) <= 6:
        # A rule by what it is called, in place of another by what that is called.
        called = names.called(before)
        thing = re.sub(r"^(?:for|in|under|of|on|with)\s", "", what, flags=re.I)
        if called:
            start = called[0].start
            return (
                _swap(before, start, called[0].end, re.sub(r"^the\s", "", thing, flags=re.I)) + "?"
            )
    dates, old_dates = _dates_in(what), _dates_in(before)
    if dates and not _content(
        _DATE.sub("", re.sub(r"\b(?:fiscal|year|quarter|end|start)\b", "", what))
    ):
        return _dated(before, what, dates[0], old_dates)
    found, old_names = _names_in(f"x {what}"), _names_in(before)
    if found and old_names and len(_content(what)) <= len(_content(found[0])) + 1:
        at = before.index(old_names[0])
        return _swap(before, at, at + len(old_names[0]), found[0]) + "?"
    if swapped := _ones(before, what):
        return f"{swapped}?"
    if preposition := _PREPOSITION.match(what):
        word = preposition["word"]
        same = [
            m
            for m in re.finditer(rf"\b{word}\s.+?{_ENDS_PHRASE}", before, re.I)
            if not _RULE.search(m[0])
        ]
        if same and word.lower() in (
            "for",
            "to",
            "at",
            "in",
            "above",
            "below",
            "over",
            "with",
            "by",
            "from",
        ):
            fits = _alike(what, same) or (same[-1] if word.lower() in ("for", "to") else None)
            if fits:
                return _swap(before, fits.start(), fits.end(), what) + "?"
        tail = re.search(r",?\s(?:under|as of)\s[^,]*$", before)
        if tail and _RULE.search(tail[0]):
            return f"{before[: tail.start()]} {what}{tail[0]}?"
        return f"{before}, {what}?"
    if swapped := _same_head(before, what):
        return f"{swapped}?"
    return f"{before}, for {re.sub(_FOR, '', what)}?"


_FOR = re.compile(r"^(?:for|the case of)\s", re.I)


def _alike(what: str, places: Sequence[re.Match[str]]) -> re.Match[str] | None:
    """Of places, the one that shares a word with what comes in."""
    own = set(_content(what))
    return next((m for m in places if own & set(terms(m[0]))), None)


def _dated(before: str, what: str, date: re.Match[str], old: Sequence[re.Match[str]]) -> str:
    """The question with another date in place of its own."""
    if old:
        place = old[-1]
        year_only = re.fullmatch(r"\d{4}", date["date"])
        if (
            year_only
            and (year := re.search(r"\d{4}$", place["date"]))
            and not re.search(MONTH, place["date"])
        ):
            start = place.start("date") + year.start()
            return _swap(before, start, start + 4, date["date"]) + "?"
        return _swap(before, place.start(), place.end(), what) + "?"
    lead = "" if _PREPOSITION.match(what) else "in "
    return f"{before} {lead}{what}?"


_ONE = re.compile(
    r"\b(?:the\s)?(?:(?P<kind>[\w$.%-]+)\s)?ones?\b(?:\s(?P<more>(?P<verb>\w+)\s.+))?$", re.I
)


def _ones(before: str, what: str) -> str:
    """ "For one priced under 5", "the ten-year ones": what tells it apart goes where its like stands."""
    one = _ONE.search(what)
    if one and one["more"]:
        verb = re.escape(one["verb"])
        if place := re.search(rf"\b{verb}\s.+?(?=\swith\s|{_ENDS_PHRASE[3:]}", before):
            return _swap(before, place.start(), place.end(), one["more"])
    if cycle := re.fullmatch(r"(?:for\s)?(T\+\d)", what):  # another settlement cycle
        place = re.search(r"\bT\+\d\b", before)
        return _swap(before, place.start(), place.end(), cycle[1]) if place else ""
    kind = one["kind"] if one else re.sub(r"^(?:for\s)?(?:the|an?)\s", "", what, flags=re.I)
    if kind and (tail := re.fullmatch(r"[\w$.]+(?P<tail>-[a-z]+)", kind)):
        place = re.search(rf"\b[\w$.]+{tail['tail']}\b", before)
        if place:
            return _swap(before, place.start(), place.end(), kind)
    return ""


def _same_head(before: str, what: str) -> str:
    """ "large brokers" for "small brokers": what has the same last word replaces it with what qualifies it."""
    words = re.sub(r"^(?:the|a|an|those|these)\s", "", what, flags=re.I)
    head = words.split()[-1]
    stem = terms(head)
    if not stem or len(words.split()) > 5:
        return ""
    for match in re.finditer(r"[\w$.-]+", before):
        if terms(match[0]) == stem:
            qualified = re.search(
                r"(?:\b(?!the\b|a\b|an\b|of\b|for\b|by\b|to\b|in\b|must\b|do\b|does\b|did\b|is\b|are\b|was\b|were\b"
                r"|and\b|or\b|what\b|"
                r"which\b|how\b|many\b|much\b|when\b|may\b|can\b|should\b|would\b|will\b)[\w-]+\s){0,2}$",
                before[: match.start()],
            )
            start = qualified.start() if qualified else match.start()
            return _swap(before, start, match.end(), words)
    return ""


def _swap(words: str, start: int, end: int, new: str) -> str:
    return f"{words[:start]}{new}{words[end:]}"


_SELF = r"(?:it|its|itself|they|them|their|he|she|his|her)"
_THING = (
    r"(?:rules?|proposals?|amendments?|release|order|filing|company|bank|firm|exemption|stay|pilot"
    r"|program|changes?|increments?|"
    r"caps?|fees?|tick(?:\ssize)?|dates?|period|threshold|amount|number|figure|group|deadline"
    r"|requirements?|exceptions?|report|plan|court|petition|provision)"
)
# "that" as a thing, not "that the rule", "those that", "so that".
_POINTS = re.compile(
    rf"\b{_SELF}\b|\b{_AUX}\s(?:that|this|these|those)\b|\b(?:that|this|these|those)\b(?=\s*(?:$|[?,.;]|(?:{_AUX}|still|mean|apply|applies"
    rf"|change|affect|matter|work|happen|too|as well|"
    rf"come|take|cost|help|hurt|and|or|in|on|for|to|from|of|by|under|before|after)\b))"
    rf"|\b(?:that|this|these|those|the same|such(?:\san?)?)\s{_THING}\b|\bthe same\b|\b(?:about|on|to|of"
    rf"|against|with|for)\s(?:that|this|these|those)\b|"
    r"\bthe (?:former|latter|other(?: one)?s?)\b",
    re.I,
)
_DEFINITE = re.compile(rf"\bthe\s(?:\w+\s)?{_THING}\b", re.I)
_WHOLE = re.compile(
    r"\b(?:that|this)\b(?!\s(?:rules?|release|order|company|bank|firm|filing|exemption|pilot|program)\b)",
    re.I,
)


def _pointing(question: str, last: Said, said: Sequence[Said]) -> str:
    """ "Does it apply to options?", "What did commenters say to that?": with what the pronoun stands for in brackets."""
    point = _POINTS.search(question)
    if not point or _own_antecedent(question, point.start()):
        return ""
    plain = _plain(question) or question
    if _names_in(question) and _rules_in(question):
        return ""
    plain = _DOES.sub(
        lambda m: f"{m['aux']} {_speaker(last, m['who'])} {m['verb']}", plain, count=1
    )
    if not (point := _POINTS.search(plain)):
        return _joined(plain, _scope(last)) if plain != _plain(question) else ""
    if point:
        whole = bool(_WHOLE.search(point[0]))
        carried = _about(last.asked) if whole else _thing(last)
        known = set(_content(plain))
        return "" if set(_content(carried)) <= known else _joined(plain, carried)
    return ""


# Who did something in the turn before, and now says more: "did they expect …?"
_DOES = re.compile(
    r"\b(?P<aux>did|do|does|had|have|has|would|could)\s(?P<who>it|they)\s(?P<verb>say|expect|estimate"
    r"|propose|adopt|decide|respond|answer|"
    r"explain|give|consider|reject|conclude|find|object|argue|want|fear|warn|suggest|think|mention|report|ask)\b",
    re.I,
)
_SPEAKERS = {
    "they": re.compile(
        r"\b(?:one |two |some |several )?(?:commenters|critics|opponents|supporters|exchanges|brokers"
        r"|broker-dealers|SROs|managers|traders)\b", re.I
    ),
    "it": re.compile(r"\bthe (?:Commission|SEC|court|company|bank|board|exchange)\b|\bFINRA\b|\bESMA\b", re.I),
}  # fmt: skip


def _speaker(last: Said, who: str) -> str:
    found = _SPEAKERS[who.lower()].search(last.asked)
    return found[0] if found else who


_MUCH = 10  # terms; of a longer question only the rules and names are carried over


def _thing(last: Said) -> str:
    """What "it" is: what "What is …?" asked about, else the rules or names of the talk."""
    noun = re.match(
        r"^(?:what|which|how\s\w+)\s(?:is|are|was|were)\s(?P<noun>(?:the|an?)\s.+)$",
        last.asked.rstrip("?. "),
        re.I,
    )
    if noun and len(noun["noun"]) < 120:
        return noun["noun"]
    if re.match(r"how (?:many|much)\b", last.asked, re.I):
        return _about(last.asked)
    if _OBJECT.match(last.asked) and len(_content(_about(last.asked))) <= _MUCH:
        return _about(last.asked)
    return _scope(last)


def _own_antecedent(question: str, at: int) -> bool:
    """Whether what a pronoun stands for is named before it in the question itself."""
    before = _OPENER.sub("", question[:at])
    own = re.search(r"\b(?:an?|any|each|every|some)\s\w+", before, re.I)
    return bool(own or _RULE.search(before) or _names_in(before))


_GENERIC = frozenset(
    t
    for word in (
        "compliance comply effective date deadline rule proposal proposed adopted adopt amendment release"
        " commission sec commenters comment "
        "comments commenter critics say said think exemption exempt exception apply applies affected affect"
        " cost costs benefit benefits "
        "estimate estimated expected impact effect effects court challenge challenged status force change"
        " changes changed reason reasons "
        "purpose require required requires requirement requirements penalty threshold cap increment tick fee"
        " exactly page quote source "
        "final publish published day many much long covered cover include included who what time spread"
        " spreads depth liquidity volatility "
        "respond response reply answer object objected against favor support supported alternative"
        " alternatives considered rejected "
        "one anyone someone vote voted decide decided request requested extend extended period"
    ).split()
    for t in terms(word)
)


def _thin(question: str, last: Said, said: Sequence[Said]) -> str:
    """ "What is the compliance date?", "What did commenters say?": words that every rule could be asked with, so of this one."""
    if any(sections_named(question)) or _rules_in(question) or _names_in(question):
        return ""
    plain = _plain(question)
    own = set(_content(_DATE.sub("", plain)))
    opened = bool(_OPENER.match(question.strip()))
    around = {t for each in said[-3:] for t in _content(each.asked)}
    new = own - _GENERIC - around
    definite = bool(_DEFINITE.search(plain))
    # Two words of one's own are a question on the talk's rule or company; where it has none they are another question.
    anchored = bool(last.sections or _rules_in(last.asked) or _names_in(last.asked))
    short = anchored and len(own) <= 2 and not re.match(r"what (?:is|are) (?!the\b)", plain, re.I)
    if len(own) > 8 or len(new) > (2 if opened or definite or short else 0):
        return ""
    if not opened and not definite and own and own <= set(terms(last.asked)) and len(own) > 3:
        return ""  # the same question in other words
    return _joined(plain, _scope(last))
