"""A word that may be a company's name, and the text around it, in; whether it is meant as one, out.

"Target", "Gap", "Shell", "Ford" are companies, words and persons. The rule, for an alias of kind `short`:

1. No neighbour is a capitalised word that could make it part of another name ("Gerald Ford", "Gap Year"), unless that
   neighbour is one of those that stand beside companies ("Retailer Target", "Ford Chief Executive").
2. And one of these holds; in a text all in capitals, or without any, only the first counts:
   a. the item names the company beyond doubt elsewhere: a symbol, a code, its full name;
   b. what follows is what companies do or have ("Target says", "Gap Inc", "Shell shares", "Apple (AAPL)");
   c. its capital means something: it is not the first word of a sentence, the text is not one in which most words are
      capitalised, and no person of that name is in it.

A `name` needs none of this. Neither is found before words that make it a place, an institution or a fund ("Citi Field",
"Eaton Vance Income Trust"), nor as the root of another's Reuters code ("CBS.UL").
"""

import re

_INSTITUTIONS = frozenset(
    """Foundation University College School Stadium Arena Field Center Centre Park Cup Open Championship Championships
    Classic Museum Institute Prize Library Hall Street Avenue Tower Towers Hospital Trophy Invitational Theater Theatre
    Airport Island Islands County River Lake Valley Mountains Mountain League Bowl Marathon Fund Funds ETF""".split()
)

# Words that stand before or after a company's name with a capital of their own.
_BESIDE = frozenset(
    """A After All Also Although Amid An And As At Australian Automaker Bank Because Before Both Brazilian British But By
    Bring Buy Buys Can Canadian Can't CEO Chairman Chief Chinese Could Did Do Does Drugmaker Dutch Even Executive Ex Finally
    For Former French From German Giant Had Has Have Here How If In Insurer Investors Is Italian Japanese Lender Like Maker
    Manufacturer May Meanwhile Meet Monday Must No Not Now Of Oil On Only Or Our President Retailer Rival Rivals Russian Sell
    Shares Should Since So Some Spanish Still Swiss Than That The Their Then This Thursday Through To Today Tuesday Under
    UPDATE Update US U.S Wednesday What When Where Which While Why Will With Without Would Yesterday You Your Friday Saturday
    Sunday January February March April June July August September October November December Jan Feb Mar Apr Jun Jul Aug Sep
    Sept Oct Nov Dec Reuters Against Between Versus Vs Including Inside Into Over Past Are Was Were More Most New Next
    About Exclusive EXCLUSIVE Analyst Analysts BRIEF REFILE WRAPUP CORRECTED TIMELINE FACTBOX ANALYSIS DEALTALK Q1 Q2 Q3 Q4
    CFO COO CTO Shareholders Stock Says Said Sees Beats Posts Profit Earnings Inc Corp Co Ltd Plc PLC Group Holdings
    Corporation Company Incorporated Limited SA NV AG
    Europe's America's China's Vice Senior Finance Technology Managing Director Spokesman Spokeswoman Worldwide""".split()
)

_DOES = re.compile(
    r"""(?:'s|')?[ ](?:
      (?:[Ss]ays|[Ss]aid|[Rr]eports|[Rr]eported|[Pp]osts|[Pp]osted|[Bb]eats|[Mm]isses|[Rr]aises|
        [Rr]aised(?![ ](?:to|at|by|from)\b)|[Cc]uts|[Ll]ifts|
        [Hh]ikes|[Ss]lashes|[Tt]rims|[Ss]ees|[Ee]xpects|[Pp]lans|[Aa]grees|[Aa]greed|[Uu]nveils|[Uu]nveiled|[Ll]aunches|
        [Ll]aunched|[Aa]nnounces|[Aa]nnounced|[Nn]ames|[Aa]ppoints|[Hh]ires|[Ss]ues|[Ss]ued|[Ss]ettles|[Rr]ecalls|
        [Aa]cquires|[Bb]uys|[Ss]ells|[Ff]orecasts?|[Jj]oins|[Aa]dds|[Dd]rops|[Ff]alls|[Rr]ises|[Jj]umps|[Cc]limbs|[Ss]lides|
        [Ss]urges|[Ss]oars|[Tt]umbles|[Ss]inks|[Ss]lips|[Dd]ips|[Ww]ins|[Ss]igns|[Ss]eeks|
        [Ff]aces|[Ll]oses|[Ee]xpands|[Ii]nvests|[Pp]ays|[Oo]ffers|[Uu]rges|[Rr]ejects|[Cc]onsiders|
        [Ss]pins|[Ss]plits|[Pp]artners|[Dd]eclares|[Rr]eiterates|[Dd]enies|[Cc]onfirms|[Ww]arns|[Ww]arned|[Gg]ains|
        [Ss]hares|[Ss]tock|[Cc]hief|CEO|CFO|COO|CTO|[Cc]hairman|[Ee]xecutives?|[Ss]pokes(?:man|woman|person)|[Ss]hareholders|
        [Ii]nvestors|[Qq]uarterly|[Qq][1-4]|[Ff](?:irst|ourth)-quarter|[Ss]econd-quarter|[Tt]hird-quarter|[Ee]arnings|
        Inc|Corp|Co|Ltd|LTD|INC|CORP|[Pp]lc|PLC|Group|Holdings|downgraded|upgraded|initiated|[Pp][Tt]|price[ ]target|EPS)\b
      | (?:to|To|in talks to)[ ](?:buy|acquire|sell|cut|close|report|pay|launch|shut|split|recall|
        invest|hire|offer|raise|spin|settle|Buy|Acquire|Sell|Cut|Close|Report|Pay|Launch|Raise)\b
      | \([ ]?[A-Z]{1,5}(?:\.[A-Z]{1,2})?[ ]?\)
    )""",
    re.VERBOSE,
)
_FUND = re.compile(r"(?: (?:[A-Z][\w&-]*|&|of)){1,6} (?:Fund|Trust|Portfolio|ETF|ETN)\b")
_CODE = re.compile(r"\.[A-Z]{1,2}(?![\w.])")
_STARTS = re.compile(r"(?:^|[.!?:;\-–—\"“”(\[]|\.\.\.|['\"”’)])\s*$")  # fmt: skip
_BEFORE = re.compile(r"([^\W\d_][\w.'&-]*) $")
_AFTER = re.compile(r" ([^\W_][\w'&-]*)")
_OWNED = re.compile(r"'s?\b")
_WORDS = re.compile(r"(?<![\w'])[^\W\d_][^\W\d_]{2,}")

_TITLE_SHARE = (
    0.6  # of the words of four letters and more after the first: a headline in title case
)
_CAPS_SHARE = 0.8  # of the letters
_SHORT_TEXT = 30  # characters of text around a word that its neighbours are looked for in


def has_case(text: str) -> bool:
    """Whether capitals say anything: not where all letters are capitals, or none is."""
    return not (text.isupper() or text.islower() or _shouts(text))


def is_part_of_another(text: str, end: int) -> bool:
    """Whether what follows a name makes it a place, an institution, a fund, or another's Reuters code."""
    following = text[end : end + 1]
    if following == ".":
        return _CODE.match(text, end) is not None
    if following != " ":
        return False
    found = _AFTER.match(text, end)
    return found is not None and (found[1] in _INSTITUTIONS or _FUND.match(text, end) is not None)


def is_part_of_name(text: str, start: int, end: int) -> bool:
    """Whether a capitalised neighbour makes a word part of another name; see rule 1."""
    if text.startswith((" & ", " &amp; "), end):
        return True
    after = _AFTER.match(text, end)
    if after and after[1][0].isupper() and after[1] not in _BESIDE and not after[1].isupper():
        return True
    return _named_before(text, start)


def does_as_companies_do(text: str, end: int) -> bool:
    """Whether what follows is what companies do or have; see rule 2b."""
    return _DOES.match(text, end) is not None


def capital_means(text: str, start: int) -> bool:
    """Whether the capital at `start` says that this is a name; see rule 2c."""
    return not _STARTS.search(text, max(0, start - 4), start) and not is_title(text)


def is_title(text: str) -> bool:
    """Whether most words are capitalised, as in some papers' headlines."""
    words = [word for word in _WORDS.findall(text[:400])[1:] if len(word) > 3]
    return bool(words) and sum(word[0].isupper() for word in words) >= _TITLE_SHARE * len(words)


def names_a_person(text: str, word: str) -> bool:
    """Whether the word stands somewhere after a capitalised one, as a surname does."""
    at = text.find(word)
    while at >= 0:
        if _named_before(text, at):
            return True
        at = text.find(word, at + 1)
    return False


def _named_before(text: str, start: int) -> bool:
    before = _BEFORE.search(text, max(0, start - _SHORT_TEXT), start)
    return (
        before is not None
        and before[1][0].isupper()
        and before[1].rstrip(".") not in _BESIDE
        and not before[1].isupper()
        and not before[1].endswith("'s")
    )


def _shouts(text: str) -> bool:
    """Whether nearly all letters are capitals: a few small ones, as in "McDONALD'S", say nothing."""
    head = text[:200]
    capitals = sum(map(str.isupper, head))
    return capitals > _CAPS_SHARE * (capitals + sum(map(str.islower, head)))
