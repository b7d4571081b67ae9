"""A sentence in; which variable it says changes, in which direction, under what condition, out. No parser, no model.

Words of change ("widen", "increase in", "wider") are tied to the terms of variables.toml that they govern: the object of
a transitive verb, the subject of an intransitive or passive one, the noun behind an adjective or behind "increase in".
What only names a cause or a condition ("if spreads widen", "lower rebates could lead to …") is no effect of that variable.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ingest.rules.taxonomy import Taxonomy, Term, taxonomy


class Direction(StrEnum):
    """Which way a variable is said to go."""

    UP = "up"
    DOWN = "down"
    MIXED = "mixed"  # both ways, or a change whose sign is not told
    NONE = "none"  # said not to change, or hardly
    UNCERTAIN = "uncertain"  # said to be unclear


@dataclass(frozen=True, slots=True)
class Effect:
    """One variable that changes. start, end: where its term stands in the sentence."""

    variable: str
    direction: Direction
    hedged: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Word:
    text: str  # lower case
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Mention:
    """A term at words [low, high)."""

    term: Term
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class _Change:
    """A word of change at words [low, high): kind, and how it stands there."""

    kind: str
    low: int
    high: int
    form: str  # "verb", "noun", "adjective"
    tense: str = ""


_WORD = re.compile(r"[A-Za-z0-9]+(?:[-/'’][A-Za-z0-9]+)*|\$|[^\w\s]")
_MODALS = frozenset("may might could would should will can cannot shall must ought".split())
_BE = frozenset("be is are was were been being".split())
_AUX = _MODALS | _BE | frozenset("have has had having do does did to".split())
_NEGATIONS = frozenset(
    "not no never neither nor cannot without unlikely hardly little neither none nothing few".split()
)
_SUBORDINATORS = frozenset(
    "that which who whom whose because if when where while whereas although though unless since until "
    "whether as whenever so than before after once".split()
)
_CONDITIONS = frozenset("if when where unless whenever assuming once until".split())
_PREPOSITIONS = frozenset(
    "of in on for to at by with from into onto under over across between among against through during "
    "about within upon without despite due given because regarding concerning"
    " than via toward towards per throughout around following".split()
)
_DETERMINERS = frozenset(
    "a an the this that these those its their his her our any some such each every all both no more most "
    "other another his".split()
)
_ARTICLES = frozenset("a an the this these its their any such some of".split())
_JOINS = frozenset({",", "and", "or", "/", "as", "well"})
_ENDS = frozenset({";", ":", "—", "–", "?"})
_OPEN = frozenset({"(", "[", "“", '"', "”", ")", "]", "‘", "’", "'"})
_HEDGES = re.compile(
    r"\b(?:may|might|could|can|should|likely|unlikely|possib\w+|potential\w*|perhaps|appears?|suggest\w*|"
    r"expect\w*|believe[sd]?|anticipat\w+|estimat\w+|"
    r"predict\w*|intend\w*|designed|seek|help\w*|concern\w*|if|to the extent|generally|usually|typically|"
    r"often|tend\w*|preliminar\w+|unclear|uncertain\w*|"
    r"in part|at least some|probab\w+|seem\w*|risk|aware|small)\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"\"\w+\":\s|\?[”\"’')]*\s*$|^(?:Whether|How|What|To what extent|Would|Should|Do|Does|Could|Is|Are)\b(?=.*\?)"
    r"|\b(?:request|solicit|seek|invit|sought|ask)(?:s|ed|ing)?\b[^.;]{0,60}\bcomments?\b|\b(?:request|"
    r"solicit|seek)(?:s|ed|ing)?\s(?:data|information|views|public)"
    r"|\bcommenters?\s(?:should|are\s(?:asked|requested|encouraged))\b|\basked\s(?:commenters|whether|"
    r"for)\b|\bwe\sask\b|\bcomment\son\b|\bcomments?\s(?:about|as to)\b"
    r"|\bassumptions?\sthat\b|\bassum(?:es|ed|ing)\sthat\b|\bquestions?,?\s(?:such\sas|of\swhether|about|"
    r"regarding|whether|relating)\b"
    r"|\bresearchers\s(?:will|would|could|can|may)\sbe\sable\b",
    re.IGNORECASE,
)
_DEFINING = re.compile(
    r"^(?:In general, )?[Tt]he\s(?:larger|smaller|greater|higher|lower|wider|narrower|longer|shorter|more|"
    r"less|deeper)\b[^.]*,\s(?:then\s)?the\s(?:larger|smaller|greater|higher|lower|wider|more|less|longer|"
    r"shorter)\b"
    r"|\b(?:is|are)\sdefined\sas\b|\b(?:the\sterm|means)\s[“\"]|\bis\scalculated\b|\b(?:is|are)\smeasured\s(?:as|by)\b"
)
_ENUMERATED = re.compile(r"\(1\).*\(2\).*\(3\)", re.DOTALL)
_LEVELS = re.compile(
    r"\bthan\s(?:those|that|the\s(?:NYSE|Nasdaq|spread|average|national|rate)|on\s(?:the|other)|in\sother|"
    r"for\sother|at\sother|their\sown)\b|\bversus\b",
    re.IGNORECASE,
)
_THAN = re.compile(
    r"^[^,;.]*\bthan\s(?!under\b|before\b|if\b|they\b|would\b|otherwise\b|in\sthe\s(?:control|pre)|"
    r"without\b|with\b|previously\b)",
    re.IGNORECASE,
)
_WISH = re.compile(
    r"\b(?:amend\w*|adopting|propos\w+|rule\schanges?)\b[^.;]{0,60}\bto\s(?:\w+ly\s)?$|\b(?:suggest|"
    r"recommend|urg|request|advocat|propos|ask|prefer|call|"
    r"encourag)\w*\b[^.;]{0,80}\b(?:the\s)?(?:Commission|SEC|Exchange|FINRA|SROs?|exchanges)\s(?:should\s|"
    r"to\s|not\s|also\s)*$",
    re.IGNORECASE,
)
_DUTY = frozenset(
    {
        "must",
        "shall",
        "required",
        "requires",
        "require",
        "prohibited",
        "prohibits",
        "prohibit",
        "permitted",
    }
)
_UNCLEAR = re.compile(
    r"\b(?:unclear|uncertain|not\s(?:clear|certain|known|possible)|difficult\sto\s(?:predict|determine|"
    r"assess|estimate|quantify)|unable\sto\s(?:predict|determine|estimate|quantify)|"
    r"cannot\s(?:predict|determine|estimate|quantify)|inconclusive|ambiguous|open\squestion|"
    r"can(?:not)?\s?not\s(?:predict|determine)|(?:divergent|differing|conflicting)\sviews)\b",
    re.IGNORECASE,
)
_EITHER_WAY = re.compile(r"\bincrease or decrease\b")
_STUDIED = re.compile(
    r"\b(?:examin|stud(?:y|ied|ying)|observation|analy[sz]|gather|data\son|information\s(?:on|about)|"
    r"understand|evaluat|assess|how\b|whether\b|(?:extent|degree)\sto\swhich)[^.;]*$",
    re.IGNORECASE,
)
_ALLAYED = re.compile(
    r"\b(?:do(?:es)?\snot|did\snot|no)\s(?:\w+\s){0,2}(?:appear|seem|believe|think|expect|anticipate|"
    r"agree|find|found|suggest|show|see|indicate|aware|detect|observe)\b|\bdisagree\w*\b"
    r"|\bno\s(?:\w+\s){0,2}(?:evidence|indication|reason\sto|proof|significant|measurable|material|"
    r"adverse|negative|discernible|systematic|statistically|deleterious)\b|\bno\sbasis\b|"
    r"\bnot\b[^.;,]{0,80}\bany\b[^.;,]{0,60}$|\bnot\saware\b|\bunlikely\b"
    r"|\b(?:lack|absence)\sof\s(?:\w+\s){0,2}evidence\b",
    re.IGNORECASE,
)
_SMALL = frozenset(
    "small minimal negligible insignificant limited modest marginal minor slight little immaterial trivial minimis".split()
)
_BAD = frozenset(
    "adverse adversely negative negatively harmful detrimental detrimentally deleterious damaging "
    "destabilizing unfavorable undesirable".split()
)
_GOOD = frozenset("positive positively beneficial favorable favorably".split())
_NOT_OBJECTS = frozenset(
    "order orders up state states book price prices".split()
)  # "limit order", "limit up"
_ADVERBS = re.compile(r"[a-z]+ly$")
_MEANT = frozenset("help helps designed intended aimed effective tend".split())
_SAID = frozenset("results result lead leads caused cause causes".split())
_BREAKS = frozenset(
    {"but", "instead", "although", "though", "while", "whereas", "because", ";", "rather"}
)
_OPPOSITE = {"up": "down", "down": "up", "none": "none", "mixed": "mixed", "uncertain": "uncertain"}


def effects(sentence: str) -> tuple[Effect, ...]:
    """What the sentence says of each variable, in the order of its terms; one effect a variable.

    Empty for questions, requests for comment, definitions, comparisons of levels and scopes of studies.
    """
    lore = taxonomy()
    lower = sentence.lower()
    if not any(stem in lower for stem in lore.stems):
        return ()
    found = _Reading(sentence, lore).effects()
    # Looked for last: it costs the most, and nearly every sentence has said nothing by then.
    return () if found and (_QUESTION.search(sentence) or _DEFINING.search(sentence)) else found


class _Reading:
    """One sentence, cut into words, terms and words of change."""

    def __init__(self, sentence: str, lore: Taxonomy) -> None:
        self.sentence, self.lore = sentence, lore
        self.words = [_Word(m[0].lower(), *m.span()) for m in _WORD.finditer(sentence)]
        self.text = [word.text for word in self.words]
        self.mentions = list(self._mentions())
        self.at = {k: m for m in self.mentions for k in range(m.low, m.high)}

    def effects(self) -> tuple[Effect, ...]:
        found: list[Effect] = []
        if self.mentions:
            for change in self._changes():
                for mention in self._governed(change):
                    direction = self._direction(change, mention)
                    if direction is not None:
                        found.append(
                            self._effect(
                                mention.term.variable, direction, mention.low, mention.high
                            )
                        )
        found += self._idioms({e.variable for e in found})
        return _one_each(found)

    def _effect(self, variable: str, direction: str, low: int, high: int) -> Effect:
        start, end = self.words[low].start, self.words[high - 1].end
        return Effect(variable, Direction(direction), self._hedged(), start, end)

    def _hedged(self) -> bool:
        return bool(_HEDGES.search(self.sentence))

    def _idioms(self, seen: set[str]) -> Iterator[Effect]:
        for variable in self.lore.variables.values():
            if variable.id in seen:
                continue
            for pattern in variable.patterns:
                match = pattern.match.search(self.sentence)
                if match is None or not self._plain(match):
                    continue
                unclear = _UNCLEAR.search(self.sentence) or _EITHER_WAY.search(self.sentence)
                low = max(0, match.start() - 120)
                if unclear or not _STUDIED.search(self.sentence, low, match.start()):
                    way = "uncertain" if unclear else pattern.direction
                    yield Effect(variable.id, Direction(way), self._hedged(), *match.span())
                    break

    def _plain(self, match: re.Match[str]) -> bool:
        """Whether an idiom is said outright: not behind an "if", not as what is done instead, not as a question."""
        clause = re.split(r"[,;]", self.sentence[: match.start()])[-1]
        return not re.search(r"\b(?:instead of|rather than|whether)\b", match[0]) and not re.search(
            r"\b[Ii]f\b", clause
        )

    # ---- terms

    def _mentions(self) -> Iterator[_Mention]:
        low = 0
        while low < len(self.text):
            longest = self.lore.longest.get(self.text[low], 0)
            for high in range(min(len(self.text), low + longest), low, -1):
                term = self.lore.terms.get(tuple(self.text[low:high]))
                if term is not None:
                    if self._stands(term, low, high):
                        yield _Mention(term, low, high)
                    low = high - 1
                    break
            low += 1

    def _stands(self, term: Term, low: int, high: int) -> bool:
        """Whether the words here are the term itself, not a part of another noun ("liquidity providers")."""
        before = self.text[low - 1] if low else ""
        after = (
            self.text[high].removesuffix("’s").removesuffix("'s") if high < len(self.text) else ""
        )
        if (
            "than" in self.text[max(0, low - 4) : low]
            or (self.text[max(0, low - 2) : low] == ["at", "the"] and self._measured_at(low - 2))
            or after == "being"
            or before in term.not_after
            or after in term.not_before
        ):
            return False
        plain = (
            not after.isalpha()
            or after in self.lore.tails
            or after
            in _AUX | _PREPOSITIONS | _SUBORDINATORS | _JOINS | _BREAKS | _NEGATIONS | _DETERMINERS
            or after in self.lore.verbs
            or after in self.lore.nouns
            or after in self.lore.effect_verbs
            or after
            in (
                "also",
                "both",
                "there",
                "it",
                "they",
                "we",
                "overall",
                "more",
                "less",
                "only",
                "therefore",
                "available",
                "equal",
            )
            or bool(_ADVERBS.match(after))
            or after.endswith(("ed", "ing"))
        )
        return plain

    def _measured_at(self, low: int) -> bool:
        """Whether a term ends here: "depth at the best price" is of depth."""
        return any(
            tuple(self.text[low - size : low]) in self.lore.terms
            for size in range(1, min(low, 4) + 1)
        )

    # ---- words of change

    def _changes(self) -> Iterator[_Change]:
        for at, word in enumerate(self.text):
            if at in self.at or self._limits_an_effect(at):
                continue
            if self._is_noun(at):
                yield _Change(self.lore.nouns[word], at, at + 1, "noun")
            elif self._is_verb(at) or self._is_attribute(at):
                kind, tense = self.lore.verbs[word]
                form = "verb" if self._is_verb(at) else "adjective"
                yield _Change(kind, at, at + 1, form, tense)
            elif word in self.lore.adjectives and self._compares(at):
                yield _Change(self.lore.adjectives[word], at, at + 1, "adjective")

    def _limits_an_effect(self, at: int) -> bool:
        """ "The impact on depth and spreads, if any, will be limited": the impact is, not depth and spreads."""
        if self.text[at] != "limited" or self._before(at) not in _BE:
            return False
        clause = self.text[max(0, at - 40) : at]
        return any(self.lore.nouns.get(word) == "touch" for word in clause)

    def _compares(self, at: int) -> bool:
        """Not "no longer", "one or more", "to better manage", "less driven"."""
        word, before = self.text[at], self._before(at)
        if (
            word == "better"
            and before
            not in _ARTICLES | _PREPOSITIONS | _JOINS | _OPEN | self.lore.effect_verbs | {""}
        ):
            return False
        if word in ("more", "less") and before in _BE:
            return False
        return before not in ("no", "or", "any")

    def _is_noun(self, at: int) -> bool:
        """ "an increase in", "the impact … on": behind a determiner or adjective, or with its own preposition."""
        word = self.text[at]
        if word not in self.lore.nouns:
            return False
        if word not in self.lore.verbs:
            return True
        before, after = self._before(at), self._after(at)
        if (
            before in _MODALS
            or (before == "to" and self.lore.verbs[word][1] == "base")
            or (before in ("and", "or") and after not in ("in", "of", "on"))
        ):
            return False
        if (
            self.lore.verbs[word][1] == "s"
            and self.at.get(at - 1) is None
            and (not after.isalnum() or after in _PREPOSITIONS)
        ):
            return True
        return after in ("in", "of", "on", "to") or before in _DETERMINERS

    def _is_verb(self, at: int) -> bool:
        """Whether a word of change is a verb here: not "an increase", "a lower fee", "limit order", "reduced depth"."""
        word = self.text[at]
        if word not in self.lore.verbs or self._is_noun(at) or self._is_attribute(at):
            return False
        behind, tense = self._before(at), self.lore.verbs[word][1]
        if tense != "base":
            return not (
                (tense == "ed" and behind in _PREPOSITIONS | _ARTICLES)
                or (word == "limited" and self._after(at) in ("to", "by", "in"))
            )
        if word in self.lore.adjectives:  # "lower"
            return behind in _MODALS | {"to", "not", "that"} or bool(_ADVERBS.match(behind))
        return (
            behind not in _ARTICLES | _PREPOSITIONS - {"to"} | _OPEN
            and self._after(at) not in _NOT_OBJECTS
        )

    def _is_attribute(self, at: int) -> bool:
        """ "increased volatility" as a noun phrase, where no subject stands before the participle."""
        tense = self.lore.verbs[self.text[at]][1] if self.text[at] in self.lore.verbs else ""
        if tense not in ("ed", "ing") or self._next_mention(at + 1) is None:
            return False
        before = self._before(at)
        if tense == "ing":
            return before in _DETERMINERS
        return (
            before == "" or before in _PREPOSITIONS | _JOINS | _DETERMINERS | _OPEN or before in self.lore.effect_verbs
            or before in self.lore.verbs or before in self.lore.adjectives or before in ("through", "see", "in")
        )  # fmt: skip

    def _before(self, at: int) -> str:
        return self.text[at - 1] if at else ""

    def _after(self, at: int) -> str:
        return self.text[at + 1] if at + 1 < len(self.text) else ""

    # ---- what a word of change governs

    def _governed(self, change: _Change) -> list[_Mention]:
        if self._in_condition(change.low) and not self._conditioned(change):
            return []
        if (change.kind == "touch" and self._before(change.low) == "only") or self._in_title(
            change.low
        ):
            return []
        if change.form == "adjective" and _ENUMERATED.search(self.sentence):
            return []
        of = {"verb": self._of_verb, "noun": self._of_noun, "adjective": self._of_adjective}[
            change.form
        ]
        return [
            m
            for m in of(change)
            if not self.lore.variables[m.term.variable].set_by_hand or self._results(change)
        ]

    def _in_title(self, at: int) -> bool:
        """ "A Guide to Preventing Information Leakage": a capital where no sentence begins."""
        start = self.words[at].start
        return at > 0 and self.sentence[start].isupper() and self._before(at).isalnum()

    def _results(self, change: _Change) -> bool:
        """Whether a change is told as what comes of something: "could lower fees", not "lowers fees" or "should lower fees"."""
        if change.form == "verb":
            near = self.text[max(0, change.low - 3) : change.low]
            return "be" not in near and any(
                w in _MODALS - {"should", "must", "shall"}
                or w in ("likely", "need", "thereby", "thus")
                for w in near
            )
        governor = self._governor(change.low)
        return governor is not None and governor[0].startswith(
            ("lead", "led", "result", "caus", "contribut", "see", "experienc", "expect")
        )

    def _conditioned(self, change: _Change) -> bool:
        """ "if the rule leads to narrower spreads, …" states an effect for all its "if"."""
        governor = self._governor(change.low) if change.form != "verb" else None
        return governor is not None and governor[0].startswith(
            ("lead", "led", "result", "caus", "contribut")
        )

    def _of_verb(self, change: _Change) -> list[_Mention]:
        at = change.low
        if self._looked_at(at) or (change.kind == "touch" and self._relative(at)):
            return []
        if (
            self._before(at) in _DUTY
            or self._is_duty(at)
            or _WISH.search(self.sentence[: self.words[at].start])
        ):
            return []
        if change.tense == "ing" and self._is_cause(at):
            return []
        passive = change.tense == "ed" and self._auxiliary(at) in _BE
        if change.kind == "touch" and not self._happens(change, passive):
            return []
        if not passive:
            objects = self._object(change.high)
            behind = self.text[objects[-1].high : objects[-1].high + 1] if objects else []
            if change.kind == "stop" and (
                behind == ["from"]
                or not any(w in _MODALS or w in _MEANT for w in self.text[max(0, at - 7) : at])
            ):
                return []
            if (
                objects
                and self.text[at].startswith(("limit", "restrict", "encourag", "incentiv"))
                and behind == ["to"]
            ):
                return []  # "restrict the cap to the top of the book", "encourage venues to expand"
            if objects or change.kind == "touch" or not self._intransitive(change):
                return objects
        return self._subject(at)

    def _happens(self, change: _Change, passive: bool) -> bool:
        """ "fees affect routing" explains the world; "could affect", "altered", "adversely affects" tell an effect."""
        near = self.text[max(0, change.low - 6) : change.low]
        told = any(
            w in _MODALS or w in _BAD or w in _GOOD or w in ("not", "no", "little") for w in near
        )
        return told or (change.tense == "ed" and not passive)

    def _looked_at(self, at: int) -> bool:
        """ "how X affects Y", "the extent to which": a matter to be looked into, unless it is said to be unclear."""
        low = at - 1
        while (
            low >= 0
            and at - low < 22
            and self.text[low] not in (";", ".")
            and self.text[low] not in _BREAKS
        ):
            if self.text[low] in ("how", "whether") or (
                self.text[low] == "which" and self.text[max(0, low - 2)] in ("extent", "degree")
            ):
                return not _UNCLEAR.search(self.sentence[: self.words[low].start])
            low -= 1
        return False

    def _relative(self, at: int) -> bool:
        """ "events that may affect X" names events, it states no effect; ", which may affect X" does."""
        if "not" in self.text[max(0, at - 2) : at]:
            return False
        for low in range(at - 1, max(-1, at - 4), -1):
            if self.text[low] == "that" or (
                self.text[low] == "which" and self.text[low - 1] != ","
            ):
                return True
        return False

    def _is_cause(self, at: int) -> bool:
        """ "the effect of eliminating rebates", "reducing the cap would …": a gerund that something else comes from."""
        before = self._before(at)
        if before == "on" or (
            before == "in" and self.text[max(0, at - 2)] in ("effective", "ineffective")
        ):
            return True
        if before == "as" and self.text[max(0, at - 2)] == "such":
            return True
        if (
            before == "of"
            and at > 1
            and (
                self.lore.nouns.get(self.text[at - 2]) == "touch"
                or self.text[at - 2]
                in (
                    "costs",
                    "cost",
                    "result",
                    "alternative",
                    "consequences",
                    "purpose",
                    "feasibility",
                    "extent",
                )
            )
        ):
            return True
        if before and before not in ("that", "while", "and", "“", '"') and before not in _ENDS:
            return False
        for word in self.text[at + 1 : at + 24]:
            if word in (",", "."):
                return False
            if word in _MODALS | _BE:
                return True
        return False

    def _is_duty(self, at: int) -> bool:
        """ "must limit", "is required to reduce": what the rule demands is no effect."""
        low = at - 1
        while low >= 0 and (
            self.text[low] == "to"
            or self.text[low] in ("not", "be")
            or _ADVERBS.match(self.text[low])
        ):
            low -= 1
        return low >= 0 and self.text[low] in _DUTY

    def _intransitive(self, change: _Change) -> bool:
        after = self.text[change.high] if change.high < len(self.text) else "."
        ends = not after[0].isalnum() or after in _PREPOSITIONS | _SUBORDINATORS | _BREAKS | {
            "and",
            "or",
        }
        return ends or bool(_ADVERBS.match(after)) or after.isdigit()

    def _auxiliary(self, at: int) -> str:
        low = at - 1
        while low >= 0 and (
            self.text[low] in ("not", "also", "further", "be", "been", "more", "less")
            or _ADVERBS.match(self.text[low])
        ):
            if self.text[low] in _BE:
                return self.text[low]
            low -= 1
        return self.text[low] if low >= 0 else ""

    def _object(self, low: int) -> list[_Mention]:
        """The terms that are heads of the noun phrases from `low` on, coordinated ones included."""
        found: list[_Mention] = []
        at, fresh, loose = low, True, 0
        if low < len(self.text) and self.text[low] in _JOINS:
            shared = (
                self.text[low] in ("and", "or")
                and low + 2 < len(self.text)
                and self._is_verb(low + 1)
            )
            return self._object(low + 2) if shared else found  # "increase or decrease spreads"
        while at < len(self.text):
            word = self.text[at]
            if mention := self.at.get(at):
                if fresh:
                    found.append(mention)
                fresh = False
                at = mention.high
                continue
            if word in _JOINS:
                if self._new_clause(at):
                    break
                fresh, loose = True, 0
            elif word in ("of", "in", "for") and self.text[at - 1] in self.lore.carriers:
                fresh, loose = True, 0
            elif word in _PREPOSITIONS | _SUBORDINATORS | _BREAKS | _ENDS | _AUX or word in (
                ".",
                ")",
            ):
                break
            elif (
                word in _DETERMINERS
                or word in _OPEN
                or word in self.lore.adjectives
                or _ADVERBS.match(word)
            ):
                pass
            elif word in self.lore.effect_verbs or (
                word.endswith("ing") and at > low and word not in self.lore.carriers
            ):
                break  # "affects anyone requiring market data"
            else:
                loose += 1
                if loose > 4:
                    break
            at += 1
        return found

    def _new_clause(self, at: int) -> bool:
        """Whether a comma or "and" begins something else than one more noun: a verb, a clause, an aside."""
        nxt = self.text[at + 1] if at + 1 < len(self.text) else "."
        if nxt in _JOINS:
            return self._new_clause(at + 1)
        if (
            nxt in self.lore.verbs
            or nxt in self.lore.effect_verbs
            or nxt in self.lore.nouns
            or nxt in self.lore.adjectives
            or nxt in _SUBORDINATORS | _AUX | _PREPOSITIONS | _BREAKS | _NEGATIONS
            or nxt
            in (
                "thus",
                "thereby",
                "therefore",
                "including",
                "it",
                "they",
                "we",
                "resulting",
                "leading",
            )
        ):
            return True
        return (
            self.text[at] == ","
            and nxt in ("the", "this", "these", "commenters", "one")
            and self._verb_soon(at + 1)
        )

    def _verb_soon(self, low: int) -> bool:
        return any(word in _MODALS | _BE for word in self.text[low : low + 14])

    def _subject(self, at: int) -> list[_Mention]:
        """The terms that are heads of the noun phrase before the verb at `at`."""
        high = at
        while high > 0 and (
            self.text[high - 1] in _AUX or self.text[high - 1] in _NEGATIONS or _ADVERBS.match(self.text[high - 1])
            or self.text[high - 1] in ("also", "further", "been", "even", "either", "both")
        ):  # fmt: skip
            high -= 1
        found: list[_Mention] = []
        low, gap = high - 1, 0
        while low >= 0 and gap <= 7:
            word = self.text[low]
            if mention := self.at.get(low):
                head = self._is_head(mention)
                if head and (not found or self._joined(mention.high, found[-1].low)):
                    found.append(mention)
                low, gap = mention.low - 1, 0
                if not head:
                    break
                continue
            if (
                word in _ENDS | _AUX | _BREAKS | _CONDITIONS
                or word in (".", "that", "which", "than")
                or self._is_verb(low)
            ):
                break
            if word in (",", "and", "or") and not found:
                break
            low, gap = low - 1, gap + 1
        return found

    def _joined(self, low: int, high: int) -> bool:
        between = self.text[low:high]
        return any(word in (",", "and", "or", "/") for word in between) and not any(
            w in _PREPOSITIONS | _AUX for w in between
        )

    def _is_head(self, mention: _Mention) -> bool:
        """Whether the phrase is about the term: not "the cost of liquidity", but "the level of liquidity"."""
        low = mention.low - 1
        steps = 0
        while low >= 0 and steps < 4:
            word = self.text[low]
            if word in _PREPOSITIONS:
                return (
                    word in ("of", "in", "for", "on")
                    and low > 0
                    and self.text[low - 1] in self.lore.carriers
                )
            if not word[0].isalpha() or word in _AUX | _SUBORDINATORS | _JOINS | _DETERMINERS:
                return not (word in _JOINS and low > 0 and self._hangs(low))
            low, steps = low - 1, steps + 1
        return True

    def _hangs(self, low: int) -> bool:
        """Whether the conjunct before a join is itself behind a preposition that no carrier bears."""
        back = low - 1
        for _ in range(5):
            if back < 0 or not self.text[back][0].isalpha():
                return False
            if self.text[back] in _PREPOSITIONS:
                return not back or self.text[back - 1] not in self.lore.carriers
            back -= 1
        return False

    def _of_noun(self, change: _Change) -> list[_Mention]:
        """ "increase in X", "loss of X", "effect of … on X": the nouns behind its preposition."""
        at = change.high
        wanted = (
            ("on", "to", "for") if change.kind in ("touch", "worse", "better") else ("in", "of")
        )
        reach = 14 if change.kind == "touch" else 3
        limit = min(len(self.text), at + reach)
        while at < limit and self.text[at] not in wanted:
            if self.text[at] in _ENDS | _BREAKS | {",", ".", "that", "which"} or self.text[
                at
            ] in _AUX - {"to"}:
                return []
            at += 1
        if at >= limit:
            return []
        if change.kind == "touch" and not self._told_touch(change, at):
            return []
        return self._object(at + 1) if self._states_effect(change.low) else []

    def _told_touch(self, change: _Change, at: int) -> bool:
        """An effect without a sign counts where it is said to be small, good, bad or absent."""
        near = self.text[max(0, change.low - 5) : change.low]
        behind = " ".join(self.text[at:])
        judged = (
            any(word in _SMALL | _BAD | _GOOD for word in near)
            or "no" in near
            or "not" in near
            or "little" in near
        )
        return judged or bool(
            re.search(
                r"\b(?:should|would|will|may|is|be|was|were)\b[^.;]{0,30}\b(?:small|minimal|negligible|limited|modest|"
                r"insignificant|positive|negative)\b",
                behind,
            )
        )

    def _of_adjective(self, change: _Change) -> list[_Mention]:
        at = change.low
        mention = self._next_mention(change.high)
        if mention is None:
            return self._of_predicate(change)
        if self._compared(change) or not (self._states_effect(at) or self._in_series(change)):
            return []
        return [mention, *self._coordinated(mention)]

    def _in_series(self, change: _Change) -> bool:
        """ "led to lower costs, improved spreads and …": a verb of its own after a comma."""
        told = any(word in self.lore.effect_verbs for word in self.text[: change.low])
        return change.tense == "ed" and self._before(change.low) in (",", "and") and told

    def _coordinated(self, mention: _Mention) -> list[_Mention]:
        """ "narrower spreads and depth" shares its adjective only without another one: the plain "and" of two terms."""
        at = mention.high
        if (
            at + 1 < len(self.text)
            and self.text[at] in ("and", "or")
            and (other := self.at.get(at + 1))
        ):
            return [other]
        return []

    def _of_predicate(self, change: _Change) -> list[_Mention]:
        """ "spreads are narrower": the subject, unless two levels are compared."""
        if self._auxiliary(change.low) not in _BE | {
            "become",
            "became",
            "becomes",
        } or self._compared(change):
            return []
        low = change.low
        while low > 0 and (
            self.text[low - 1] in _BE | {"become", "became"} or _ADVERBS.match(self.text[low - 1])
        ):
            low -= 1
        return self._subject(low)

    def _compared(self, change: _Change) -> bool:
        behind = self.sentence[self.words[change.low].start :]
        if re.search(r"\b(?:in comparison|compared) (?:to|with)\b", self.sentence, re.IGNORECASE):
            return True
        return bool(_LEVELS.search(behind) or _THAN.search(behind))

    def _next_mention(self, low: int) -> _Mention | None:
        """The term that an adjective at low - 1 stands before, with at most three modifiers or a carrier between."""
        for at in range(low, min(len(self.text), low + 4)):
            if mention := self.at.get(at):
                return mention
            word = self.text[at]
            bears = word == "of" and self.text[at - 1] in self.lore.carriers
            if not bears and (
                not word[0].isalpha() or word in _PREPOSITIONS | _AUX | _SUBORDINATORS | _JOINS
            ):
                return None
            if word in self.lore.adjectives and at > low and word in ("more", "less"):
                return None
        return None

    # ---- where it stands

    def _in_condition(self, at: int) -> bool:
        """Whether the word stands in a clause that an "if", "when" or "to the extent" opens."""
        low = at
        while low >= 0:
            word = self.text[low]
            if word in _CONDITIONS and not (word == "when" and self._before(low) in ("even",)):
                return True
            if (
                word == "extent"
                and self._before(low) == "the"
                and self.text[max(0, low - 2)] == "to"
            ):
                return True
            if word == "event" and self._before(low) == "the":
                return True
            if (
                word in (";", ":")
                or (word == "," and low < at and not self._goes_on(low + 1))
                or word == "then"
            ):
                return False
            low -= 1
        return False

    def _goes_on(self, at: int) -> bool:
        """Whether the clause of an "if" goes on behind a comma: "if it reduces X, causes Y, or worsens Z"."""
        word = self.text[at]
        return word in ("and", "or") or (
            word.endswith("s") and (word in self.lore.effect_verbs or self._is_verb(at))
        )

    def _states_effect(self, at: int) -> bool:
        """Whether a noun phrase is what comes out, not what it comes from or what is merely looked at."""
        if self._behind_preposition(at) or self._looked_at(at):
            return False
        governor = self._governor(at)
        if governor is None:
            return self._comes_out(at)
        word, place = governor
        between = self.text[place + 1 : at]
        if any(
            w
            in (
                "due",
                "because",
                "from",
                "despite",
                "given",
                "during",
                "against",
                "without",
                "following",
                "since",
                "regardless",
                "how",
                "whether",
                "based",
            )
            for w in between
        ):
            return False
        if any(self._strays(k) for k in range(place + 1, at)):
            return False
        if (
            place > 1
            and self.text[place - 1] in ("that", "who", "which")
            and self.text[place - 2] != ","
            and word not in _SAID
        ):
            return False  # "firms that experienced a decline" are told apart, not told of
        if word in ("have", "has") and "tend" in self.text[max(0, place - 2) : place]:
            return False
        if word in self.lore.study_verbs and word not in self.lore.effect_verbs:
            return False
        if word in self.lore.verbs:
            return self.lore.verbs[word][0] in ("up", "better")
        if word.startswith("concern"):
            near = self.text[max(0, place - 5) : place]
            return not any(
                (w in self.lore.verbs and self.lore.verbs[w][0] in ("stop", "down"))
                or w in ("no", "not", "address")
                for w in near
            )
        return word in self.lore.effect_verbs or (word in _BE and self._there(place))

    def _behind_preposition(self, at: int) -> bool:
        """ "stocks of lower liquidity", "because of improved depth": it describes or explains something else."""
        low = at - 1
        while low >= 0 and (
            _ADVERBS.match(self.text[low])
            or self.text[low] in _DETERMINERS
            or self.text[low] in self.lore.adjectives
        ):
            low -= 1
        if low < 1 or self.text[low] not in (
            "of",
            "for",
            "with",
            "at",
            "from",
            "by",
            "on",
            "as",
            "because",
            "given",
        ):
            return False
        return self.text[low - 1] not in (
            "terms",
            "form",
            "risk",
            "possibility",
            "potential",
            "likelihood",
            "well",
            "such",
            "associated",
            "correlated",
            "forms",
        )

    def _strays(self, at: int) -> bool:
        """ "…, seeking additional liquidity": another action begins between the verb and the phrase."""
        word, before = self.text[at], self.text[at - 1]
        lore = self.lore
        known = (
            word in lore.effect_verbs
            or word in lore.verbs
            or word in lore.nouns
            or word in ("including", "during", "trading")
        )
        return (
            word.endswith("ing")
            and not known
            and not (before in lore.effect_verbs or before in lore.verbs or before in _DETERMINERS)
        )

    def _there(self, place: int) -> bool:
        """ "there will be", "the net result … is"."""
        near = self.text[max(0, place - 10) : place]
        return "there" in near[-4:] or any(
            w in ("result", "results", "consequence", "outcome") for w in near
        )

    def _governor(self, at: int) -> tuple[str, int] | None:
        """The nearest verb before the phrase in its clause."""
        low = at - 1
        while low >= 0 and at - low < 26:
            word = self.text[low]
            if word in (
                ";",
                ":",
                "that",
                "which",
                "because",
                "while",
                "although",
                "whereas",
                "whereby",
                "where",
            ):
                return None
            if (
                word == ","
                and self.text[low + 1] in _DETERMINERS | {"then", "it", "they", "we", "there"}
                and self._verb_soon(low + 1)
            ):
                return None
            if (
                word in self.lore.effect_verbs | self.lore.study_verbs
                or self._is_verb(low)
                or word in ("concern", "concerns", "concerned")
            ):
                if not self._is_attribute(low):
                    return word, low
            elif word in _BE and not (
                low + 1 < len(self.text) and self.text[low + 1] in self.lore.effect_verbs
            ):
                return word, low
            low -= 1
        return None

    def _comes_out(self, at: int) -> bool:
        """A phrase without a verb before it: told to occur, or the end of a heading-like list; else it is a cause."""
        rest = self.text[at:]
        for place, word in enumerate(rest[:22]):
            if word in _MODALS | _BE:
                behind = rest[place : place + 7]
                return "have" not in behind and any(
                    (w == "result" and "in" not in behind)
                    or w
                    in (
                        "occur",
                        "small",
                        "minimal",
                        "negligible",
                        "modest",
                        "insignificant",
                        "arise",
                    )
                    for w in behind
                )
            if word in (";", ":"):
                return False
        return False

    # ---- which way

    def _direction(self, change: _Change, mention: _Mention) -> str | None:
        raw = self._signed(change, mention)
        if raw is None:
            return None
        if _UNCLEAR.search(
            self.sentence, max(0, self.words[change.low].start - 120), self.words[change.low].start
        ):
            return "uncertain"
        if self._both_ways(change):
            return "uncertain"
        if self._negated(change.low) or self._fails(change):
            # "will not eliminate all": less than said, not none
            partly = "all" in self.text[change.high : mention.low] or self.text[
                change.low
            ].startswith("eliminat")
            return None if partly else "none"
        return raw

    def _signed(self, change: _Change, mention: _Mention) -> str | None:
        kind, better = change.kind, "up" if mention.term.good else "down"
        if kind in ("touch", "worse", "better") or change.form == "noun":
            near = set(
                self.text[max(0, change.low - 4) : change.low]
                + self.text[change.high : change.high + 1]
            )
            if kind == "touch" and near & _BAD:
                kind = "worse"
            elif kind == "touch" and near & _GOOD:
                kind = "better"
            if change.kind == "touch" and self._small(change):
                return "none"
        if kind in ("better", "worse") and self.lore.variables[mention.term.variable].signless:
            return "mixed"
        if kind == "stop":
            if mention.term.good:
                return None
            way = "down"
        elif kind == "better":
            way = better
        elif kind == "worse":
            way = _OPPOSITE[better]
        elif kind == "touch":
            return "uncertain" if self._modal(change) else "mixed"
        else:
            way = kind
        flipped = (mention.term.sign < 0) != self._forbidden(change)
        return _OPPOSITE[way] if flipped else way

    def _forbidden(self, change: _Change) -> bool:
        """ "prohibit market participants from narrowing the spread"."""
        near = self.text[max(0, change.low - 9) : change.low]
        return (
            change.tense == "ing"
            and "from" in near[-2:]
            and any(
                w.startswith(("prohibit", "prevent", "preclud", "deter", "discourag")) for w in near
            )
        )

    def _small(self, change: _Change) -> bool:
        near = (
            self.text[max(0, change.low - 9) : change.low]
            + self.text[change.high : change.high + 26]
        )
        return any(word in _SMALL for word in near)

    def _modal(self, change: _Change) -> bool:
        return any(word in _MODALS for word in self.text[max(0, change.low - 6) : change.low])

    def _both_ways(self, change: _Change) -> bool:
        """ "increase or decrease"."""
        near = (
            self.text[max(0, change.low - 2) : change.low],
            self.text[change.high : change.high + 2],
        )
        others = [w for words in near if "or" in words for w in words]
        kinds = {self.lore.verbs[w][0] for w in others if w in self.lore.verbs} | {
            self.lore.adjectives[w] for w in others if w in self.lore.adjectives
        }
        return {"up", "down"} <= kinds | {change.kind}

    def _fails(self, change: _Change) -> bool:
        """ "would fail to achieve greater depth": the negation stands at the verb that governs the phrase."""
        governor = self._governor(change.low) if change.form != "verb" else None
        return governor is not None and any(
            word in _NEGATIONS or word in ("fail", "fails", "failed")
            for word in self.text[max(0, governor[1] - 3) : governor[1]]
        )

    def _negated(self, at: int) -> bool:
        low = at - 1
        words: list[str] = []
        while low >= 0 and self.text[low] not in _BREAKS:
            words.append(self.text[low])
            low -= 1
        before = self.sentence[self.words[low + 1].start : self.words[at].start]
        if _ALLAYED.search(before):
            return True
        near = words[:9]
        for place, word in enumerate(near):
            if word in (",", ";") and place > 0:
                break
            at_word = at - 1 - place
            fails = (
                word in ("fail", "fails", "failed")
                and place
                and near[place - 1] == "to"
                and at_word not in self.at
            )
            if word == "without" and place > 2:
                continue
            if fails or (
                word in _NEGATIONS
                and not (
                    word == "not"
                    and place
                    and near[place - 1] in ("only", "necessarily", "fully", "just")
                )
            ):
                return True
            if word in _MODALS - {"cannot"} and place > 2:
                break
        return False


def _one_each(found: Sequence[Effect]) -> tuple[Effect, ...]:
    """One effect a variable: the sign that is told; two signs are "mixed"."""
    by_variable: dict[str, list[Effect]] = {}
    for effect in sorted(found, key=lambda e: e.start):
        by_variable.setdefault(effect.variable, []).append(effect)
    return tuple(map(_merged, by_variable.values()))


def _merged(told: list[Effect]) -> Effect:
    first = told[0]
    ways = {effect.direction for effect in told}
    signed = ways & {Direction.UP, Direction.DOWN}
    if len(signed) == 2:
        way = Direction.MIXED
    elif Direction.NONE in ways or Direction.UNCERTAIN in ways:
        way = next(
            e.direction for e in told if e.direction in (Direction.NONE, Direction.UNCERTAIN)
        )
    else:
        way = next(iter(signed), first.direction)
    return Effect(first.variable, way, first.hedged, first.start, first.end)
