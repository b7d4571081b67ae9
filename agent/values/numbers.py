"""Number words and figures in, exact decimals out; and the patterns that find them."""

import re
from decimal import Decimal

_ONES = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen".split(),
        range(20),
        strict=True,
    )
)
_TENS = dict(
    zip(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(),
        range(20, 100, 10),
        strict=True,
    )
)
ORDINALS = {
    word: n
    for n, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
        " fifteenth".split(),
        1,
    )
} | {"twentieth": 20, "thirtieth": 30, "sixtieth": 60, "ninetieth": 90}
_PARTS = {
    "half": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "eighth": 8,
    "tenth": 10,
    "sixteenth": 16,
}
_PARTS |= {"hundredth": 100, "thousandth": 1000}
_MAGNITUDES = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_MAGNITUDES |= {"bn": 10**9, "mn": 10**6, "m": 10**6, "b": 10**9, "k": 10**3}

DIGITS = (
    r"(?:(?<![\w.,])0,\d+(?![\d,])"  # 0,001: a decimal comma; no thousand begins with a nought
    r"|(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?"  # 10,000
    r"|(?<![\w.])\d{1,3}(?: \d{3})+(?![\w])"  # 10 000, as EU texts write it
    r"|(?<![\w.])\d+(?:\.\d+)?(?![\d])|(?<![\w.])\.\d+)"
)
ONE = "|".join(sorted(_ONES, key=len, reverse=True))
TEN = "|".join(_TENS)
PART = "|".join(_PARTS)
_WORD = rf"(?i:\b(?:{TEN})(?:[- ](?:{ONE}))?\b|\b(?:{ONE})(?:(?: |-)hundred)?\b)"
FRACTION = rf"(?i:\b(?:(?:one|two|three|five|seven|nine|a)[- ])?(?:{PART})s?\b)"
MAGNITUDE = r"(?:[ -]?(?:hundred|thousand|million|billion|trillion)\b)"
NUMBER = rf"(?:(?:{DIGITS}|{_WORD}){MAGNITUDE}?)"


def number(words: str) -> Decimal:
    """A number in digits or words; raises KeyError or ArithmeticError on what is none."""
    text = words.lower().strip()
    text = text.replace(",", ".") if text.startswith("0,") else text.replace(",", "")
    total = Decimal(1)
    magnitude = re.search(r"[\s-]?([a-z]+)$", text)
    if magnitude and magnitude[1] in _MAGNITUDES and magnitude.start() > 0:
        total = Decimal(_MAGNITUDES[magnitude[1]])
        text = text[: magnitude.start()]
    if re.fullmatch(r"[\d.\s]+", text):
        return Decimal(re.sub(r"\s", "", text)) * total
    amount = 0
    for word in re.split(r"[\s-]+", text):
        if word == "hundred":
            amount *= 100
        else:
            amount += _TENS[word] if word in _TENS else _ONES[word]
    return Decimal(amount) * total


def fraction(words: str) -> Decimal:
    parts = re.split(r"[\s-]+", words.lower())
    part = parts[-1] if parts[-1] in _PARTS else parts[-1].removesuffix("s")
    above = _ONES.get(parts[0], 1) if len(parts) > 1 else 1
    return Decimal(above) / Decimal(_PARTS[part])


def plain(number: Decimal) -> str:
    text = format(number.normalize(), "f")
    return text if len(text) <= 24 else text[:24]
