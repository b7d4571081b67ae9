"""A word in; its dictionary form out, by rule. No model, no word list beyond the irregular ones met in rule releases.

It is used to ask "is this content word in the quote at all?" and to undo the passive, never to call two wordings equal:
there the surface counts, because "adopted" and "adopts", or "commenter" and "commenters", are different claims.
"""

from functools import lru_cache

_IRREGULAR = {
    "am is are was were been being be": "be",
    "has had having have": "have",
    "does did done doing do": "do",
    "made makes making": "make",
    "took taken takes taking": "take",
    "gave given gives giving": "give",
    "said says": "say",
    "found finds": "find",
    "held holds": "hold",
    "kept keeps": "keep",
    "led leads": "lead",
    "left leaves leaving": "leave",
    "lost loses losing": "lose",
    "met meets": "meet",
    "paid pays": "pay",
    "ran runs running": "run",
    "saw seen sees": "see",
    "sent sends": "send",
    "sold sells": "sell",
    "bought buys": "buy",
    "shown shows showed": "show",
    "thought thinks": "think",
    "told tells": "tell",
    "wrote written writes writing": "write",
    "began begun begins beginning": "begin",
    "became becomes becoming": "become",
    "brought brings": "bring",
    "came comes coming": "come",
    "chose chosen chooses choosing": "choose",
    "drawn drew draws": "draw",
    "fell fallen falls": "fall",
    "grew grown grows": "grow",
    "knew known knows": "know",
    "meant means": "mean",
    "rose risen rises rising": "rise",
    "sought seeks": "seek",
    "undertook undertaken undertakes undertaking": "undertake",
    "withdrew withdrawn withdraws": "withdraw",
    "understood understands": "understand",
    "criteria": "criterion",
    "indices": "index",
    "analyses": "analysis",
    "bases": "basis",
    "data": "data",
    "less": "less",
    "access": "access",
    "process processes processed": "process",
    "this these": "this",
    "that those": "that",
    "an": "a",
}
_FORMS = {form: lemma for forms, lemma in _IRREGULAR.items() for form in forms.split()}
_VOWELS = set("aeiou")
# Stems that end in a silent e once -ed or -ing is off: "requir", "propos", "reduc", "eliminat".
_SILENT = (
    *(
        "at",
        "iv",
        "ov",
        "os",
        "us",
        "uc",
        "ir",
        "ag",
        "id",
        "iz",
        "ut",
        "lv",
        "rv",
        "rg",
        "dg",
        "nc",
    ),
    *("as", "ud", "bl", "pl", "gn", "rad", "nat"),
)
_NOT_SILENT = {"format", "join", "begin", "focus", "discuss", "exit", "edit", "benefit", "permit"}


@lru_cache(maxsize=16384)
def lemma(word: str) -> str:
    """The dictionary form of a lower-case word; an unknown form comes back as it is."""
    if word in _FORMS:
        return _FORMS[word]
    if word.endswith(("'s", "’s")):
        return lemma(word[:-2])
    if len(word) <= 3 or not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    if word.endswith("ied"):
        return word[:-3] + "y"
    if word.endswith("ed") and len(word) > 4:
        return _stem(word[:-2])
    if word.endswith("ing") and len(word) > 5:
        return _stem(word[:-3])
    return word


def participle(word: str) -> bool:
    """Whether a lower-case word can be a past participle."""
    if word.endswith("ed") and len(word) > 4:
        return True
    return word in {
        *(
            "made taken given found held kept led left lost met paid run seen sent sold bought shown told".split()
        ),
        *(
            "written begun brought chosen drawn known sought undertaken withdrawn understood set put cut".split()
        ),
    }


def _stem(stem: str) -> str:
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsz":
        return stem[:-1]  # "permitt" -> "permit"
    if not _VOWELS & set(stem):
        return stem + "e"
    if stem in _NOT_SILENT or stem.endswith(("ain", "oin", "eat", "eed", "ear", "mit", "fit")):
        return stem
    return stem + "e" if stem.endswith(_SILENT) or stem[-1] in "cvu" else stem
