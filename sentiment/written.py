"""A number in; that many labelled sentences of company news, written by us, out. No outside text is in them.

They teach what the free labelled sets hardly hold: reports in whole sentences ("Operating profit fell to EUR 3.1 mn from
EUR 4.5 mn"), where direction is in a verb, in two numbers, or in both together with what is counted (a loss, a cost, a
sale); what companies do (orders, agreements, launches, layoffs); plain facts that are no news for an investor; negation;
guidance; and sentences with two companies. The patterns are in written.txt; names are made up.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from sentiment.labelled import Row

_FILE = Path(__file__).with_name("written.txt")

# --- Words that fill the places of a pattern. `a|b` is a choice; a place in a word is filled in turn.

_LISTS: Mapping[str, str] = {
    "m": (  # good when up
        "operating profit|net profit|pretax profit|profit before taxes|net sales|sales|turnover|revenue|EBIT|EBITDA|"
        "operating result|net income|the order intake|the order book|cash flow from operations|profit for the period|"
        "gross profit|net interest income|rental income|comparable sales|like-for-like sales|consolidated net sales|"
        "pretax earnings|operating earnings|quarterly earnings|commission income|export revenue|the group's net sales|"
        "net sales of the {business} division|sales of {goods}|operating profit excluding one-off items|new orders"
    ),
    "ms": "profit|net profit|sales|revenue|operating profit|PAT|consolidated net profit|earnings|EBITDA|net income",
    "w": (  # bad when up
        "operating expenses|raw material costs|credit losses|net debt|impairment losses|loan loss provisions|energy costs|"
        "restructuring charges|unsold inventories|bad debts|claims|administrative expenses|interest expenses|bad loans|"
        "net financial expenses|the cost of {goods}|staff costs|fuel costs|complaints"
    ),
    "l": "the net loss|the operating loss|the pretax loss|the quarterly loss|the loss before taxes|the loss for the period|"
    "loss after taxes|net loss|the loss of the {business} division",
    "ep": "earnings per share|diluted earnings per share|earnings per share (EPS)|EPS|diluted EPS|adjusted EPS|"
    "earnings per share from continuing operations|the group's earnings per share",
    "up": "rose|increased|grew|climbed|went up|improved|was up|advanced|edged up|picked up",
    "up2": "jumped|surged|soared|more than doubled|doubled|leapt|rose sharply|rallied|tripled|grew strongly",
    "rises": "rises|climbs|up|jumps|grows|surges|gains|increases|soars|advances",
    "down": "fell|decreased|declined|dropped|went down|was down|slipped|weakened|shrank|edged down",
    "down2": "plunged|tumbled|slumped|halved|collapsed|fell sharply|sank|dived|more than halved",
    "falls": "falls|drops|down|slips|slides|declines|dips|tumbles|plunges|shrinks",
    "period": (
        "in the first quarter|in the second quarter|in the third quarter of {year}|in the fourth quarter|in January-June {year}|"
        "in {year}|in the review period|for the full year|in the nine months to September|during the period|in the half year|"
        "in the second quarter of {year}|in the last quarter of {year}|in the financial year {year}"
    ),
    "than": (
        "a year earlier|in the corresponding period of {before}|in the same period a year ago|in {before}|year-on-year|"
        "in the previous quarter|the year before|in the comparable period|in the same period of {before}|a year ago|"
        "in the second quarter of {before}|in the corresponding quarter of {before}"
    ),
    "than2": "a year ago|in the previous quarter|that of {before}|expected",
    "place": (
        "Finland|Sweden|Poland|Germany|Estonia|Russia|Brazil|India|Texas|Ohio|Spain|the Baltic countries|China|Norway|Turkey|"
        "Latvia|Lithuania|Ukraine|France|South Africa|Australia|Latin America|the Middle East|Asia|Central Europe|Denmark"
    ),
    "town": "Helsinki|Tampere|Riga|Gdansk|Leeds|Lyon|Pune|Dallas|Turin|Oslo|Tallinn|Espoo|Malmo|Austin|Porto|Oulu|Vilnius|Kazan",
    "nat": "Finnish|Swedish|German|Indian|US|Polish|Estonian|Russian|British|Norwegian|Danish|Brazilian|Chinese",
    "thing": (
        "paper machine|power plant|software platform|crane|tyre plant|mobile network|data centre|packaging line|harbour|"
        "shopping centre|office building|payment system|engine|elevator|wind farm|steel mill|bus fleet|warehouse|ferry|"
        "bridge|hospital|mine|district heating plant|metro line|cruise ship|water treatment plant|production line|hotel|brewery"
    ),
    "goods": (
        "forest machines|elevators|escalators|base stations|diesel engines|filters|pumps|cranes|winter tyres|steel structures|"
        "mobile phones|paper machines|valves|batteries|medical instruments|dairy products|beer|frozen foods|packages|windows|"
        "software licences|billing software|network equipment|fibre cables|clothes|furniture|fishing rods|skis|boats|tractors|"
        "power converters|wind turbines|biofuel|fertilisers|coatings|labels|magazines|games|navigation devices|mining equipment|"
        "security software|payment terminals|test kits|drugs|glass|bricks|wooden houses|rails|buses|sensors|lamps"
    ),
    "business": (
        "packaging|mobile games|forestry machines|building materials|online banking|medical devices|wireless services|logistics|"
        "dairy products|sports equipment|speciality chemicals|real estate|textiles|electronics|publishing|food retail|"
        "maintenance|construction|wholesale|IT services|technical textiles|shipping|paper|energy|metals|consulting|insurance"
    ),
    "sector": (
        "steel maker|software developer|media group|paper company|retailer|construction firm|engineering company|tyre maker|"
        "food company|bank|telecom operator|electronics manufacturer|packaging maker|IT services provider|shipping company|"
        "pharmaceutical company|technology group|machine builder|real estate investor|energy company|lift maker|brewer"
    ),
    "client": (
        "a {nat} {sector}|a customer in {place}|the city of {town}|<B>|<B>|a {nat} mining company|the {nat} railways|"
        "a large retailer in {place}|a power company in {place}|the {nat} navy|an unnamed customer|a shipyard in {town}|"
        "the airport of {town}|several operators in {place}|a hospital in {town}"
    ),
    "job": (
        "chief executive officer|chief financial officer|head of communications|chairman of the board|country manager|"
        "plant manager|CEO|president|managing director|sales director|head of {business}"
    ),
    "says": "said today|said on Monday|announced today|said in a statement|said on Friday|said|announced|reported today",
    "says2": "said|says|estimates|added|told reporters",
    "when": "today|on Tuesday|last week|in {month}|this week|earlier this month",
}
_FIRST = (
    "Nor|Hal|Bri|Vel|Kar|Tam|Lin|Ost|Mer|Dal|Fen|Gra|Sol|Ter|Var|Wes|Ald|Cor|Ekh|Rau|Pel|Sten|Hol|Ara|Quen|Bel|Zan|Iv|"
    "Am|Bo|Cal|Du|El|Fa|Gil|Hu|Jor|Ky|Lum|Mo|Nes|Or|Pon|Ri|Sa|Tu|Ul|Vai|Wy|Ya"
)
_LAST = (
    "vale|den|tex|mark|ton|ria|lund|ova|mont|field|sted|ika|berg|on|ora|wick|port|ana|ex|con|land|dor|ium|ala|tec|la|nen|"
    "pan|mer|cor|dex|sol|tia|var|gate|lin"
)
_KIND = (
    "||||| Oyj| Group| plc| Corp| Inc| AB| Energy| Bank| Motors| Pharma| Holdings| Steel| Telecom| Foods| Industries| Ltd| ASA|"
    " Oy"
)
_BEFORE_NAME = "||||||||{nat} |{nat} {sector} |{nat} {sector} |The {nat} {sector} |{sector} "
_AFTER_NAME = (
    "||||||||||| ({exchange}: {ticker})| (OMX Helsinki: {ticker})|, a {nat} {sector},|, which makes {goods},|, based in {town},|"
    ", a provider of {business},"
)
_LEAD = (
    "{TOWN} ({agency}) - |{TOWN}, {month} {day} ({agency}) - |({agency}) - {month} {day}, {year} - |{day} {month} {year} - |"
    "STOCK EXCHANGE RELEASE {day} {month} {year} |Press release {day} {month} {year} "
)
_TAIL = (
    ", the company said|, it said in a statement|, according to the company|, the {job} said|, <A> said on Thursday|"
    " ({agency})"
)

# --- Patterns


@cache
def patterns() -> Mapping[str, Sequence[str]]:
    """Of written.txt: the patterns of each label, and those of two companies as "pairs"."""
    found: dict[str, list[str]] = {}
    for line in _FILE.read_text("utf-8").splitlines():
        if line.startswith("## "):
            found[line[3:]] = []
        elif line and not line.startswith("# "):
            list(found.values())[-1].append(line)
    return found


_SHARES = {"neutral": 0.40, "positive": 0.36, "negative": 0.24}
_PAIRS, _TARGETS, _LEADS, _TAILS = 0.12, 0.2, 0.15, 0.08
_SIGNS = {"+": "positive", "-": "negative", "0": "neutral"}


def written_rows(count: int, seed: int = 0) -> list[Row]:
    """Rows of the set "written": two thirds about the whole sentence, a third about a company in it."""
    source = random.Random(seed)
    rows: dict[tuple[str, tuple[tuple[int, int], ...]], Row] = {}
    for _ in range(50 * count):  # patterns without places run out: what is said twice counts once
        if len(rows) >= count:
            break
        if source.random() < _PAIRS:
            made = [
                Row("written", text, label, spans)
                for text, marks in [fill(source.choice(patterns()["pairs"]), source)]
                for label, spans in marks
            ]
        else:
            made = [_row(source)]
        for row in made:
            rows.setdefault((row.text, row.spans), row)
    return list(rows.values())[:count]


def _row(source: random.Random) -> Row:
    label = source.choices(list(_SHARES), list(_SHARES.values()))[0]
    pattern = source.choice(patterns()[label])
    if pattern.endswith(".") and source.random() < _TAILS and not pattern.startswith('"'):
        pattern = pattern[:-1] + source.choice(_TAIL.split("|")) + "."
    text, marks = fill(pattern, source, label)
    if marks and source.random() < _TARGETS:
        of, spans = source.choice(marks)
        return Row("written", text, of, spans)
    if source.random() < _LEADS:
        lead, _ = fill(source.choice(_LEAD.split("|")), source)
        text = lead + text
    return Row("written", text, label)


Marks = list[tuple[str, tuple[tuple[int, int], ...]]]


def fill(pattern: str, source: random.Random, label: str | None = None) -> tuple[str, Marks]:
    """A pattern with its places filled; for each company the label and where it is named.

    label: of <A> where no sign says one, other companies being neutral then; None: only those with a sign have one.
    """
    numbers = _Numbers(source)
    names: dict[str, str] = {}
    labels: dict[str, str] = {}
    spans: dict[str, list[tuple[int, int]]] = {}
    text, at = "", 0
    opened = _opened(pattern, source)
    dressed = label is not None and pattern.count("<") < 3
    for place in _PLACE_IN.finditer(opened):
        text += opened[at : place.start()]
        at = place.end()
        if not (name := place["name"]):
            text += numbers.word(place["slot"])
            continue
        first = name not in names
        said = names.setdefault(name, company(source))
        if place["sign"] or label is not None:
            default = label if label and name == "A" else "neutral"
            labels.setdefault(name, _SIGNS.get(place["sign"] or "", default))
        before, after = _around(source, numbers) if first and dressed else ("", "")
        if opened[at : at + 2] == "'s":
            after = ""
        if opened[at : at + 1] == ",":
            after = after.removesuffix(",")
        text += before if text or not before else before[0].upper() + before[1:]
        spans.setdefault(name, []).append((len(text), len(text) + len(said)))
        text += said + after
    text += opened[at:]
    return text[0].upper() + text[1:], [
        (labels[n], tuple(s)) for n, s in spans.items() if n in labels
    ]


def _opened(pattern: str, source: random.Random) -> str:
    """With a word chosen for every list, again until none is left."""
    while (
        made := _NESTED.sub(lambda m: source.choice(_LISTS[m[1]].split("|")), pattern)
    ) != pattern:
        pattern = made
    return pattern


def _around(source: random.Random, numbers: "_Numbers") -> tuple[str, str]:
    """What is said of a company before and after its name; most often nothing."""
    before, after = (
        _opened(source.choice(w.split("|")), source) for w in (_BEFORE_NAME, _AFTER_NAME)
    )
    return before, _PLACE_IN.sub(lambda m: numbers.word(m["slot"]), after)


def company(source: random.Random) -> str:
    """A made-up company."""
    first, last, kind = (source.choice(w.split("|")) for w in (_FIRST, _LAST, _KIND))
    return first + last + kind


class _Numbers:
    """The amounts of one sentence, in one currency and one way of writing, low below high."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        size = 10 ** source.uniform(-0.5, 3)
        grown = size * (1 + 10 ** source.uniform(-1.3, 0.3))
        digits = 0 if size > 200 else source.choice((1, 1, 2))
        self._low, self._high = round(size, digits), round(grown, digits)
        if self._high <= self._low:
            self._high = round(self._low + max(10**-digits, self._low * 0.1), digits)
        self._digits = digits
        self._form = source.choice(_AMOUNTS)
        self._year = source.randint(2003, 2025)
        self._cents = source.randint(5, 400) / 100
        self._percent = source.randint(10, 180) / 10

    def word(self, slot: str) -> str:
        source = self._source
        step = source.uniform(1.05, 1.8)
        words: dict[str, Callable[[], str]] = {
            "low": lambda: self._amount(self._low),
            "high": lambda: self._amount(self._high),
            "v": lambda: self._amount(self._low),
            "eps1": lambda: self._form_of_share(self._cents),
            "eps2": lambda: self._form_of_share(round(self._cents * step + 0.01, 2)),
            "pct1": lambda: f"{self._percent}{self._percent_sign()}",
            "pct2": lambda: f"{round(self._percent * step + 0.1, 1)}{self._percent_sign()}",
            "v2": lambda: self._amount(self._high),
            "q": lambda: str(source.randint(1, 4)),
            "TOWN": lambda: source.choice(_LISTS["town"].split("|")).upper(),
            "agency": lambda: source.choice("Reuters|AFX|ADP News|Newswire|AP".split("|")),
            "exchange": lambda: source.choice("HEL|OMX|STO|NYSE|NSE|LSE".split("|")),
            "ticker": lambda: "".join(source.choices("ABCDEHKLMNOPRSTV", k=source.randint(3, 4))),
            "pct": lambda: f"{source.randint(10, 900) / 10}{self._percent_sign()}",
            "year": lambda: str(self._year),
            "before": lambda: str(self._year - 1),
            "n": lambda: str(
                source.choice((12, 20, 35, 60, 90, 120, 250, 400, 800, "1,500", "3,000"))
            ),
            "d": lambda: str(source.randint(2, 9)),
            "day": lambda: str(source.randint(1, 28)),
            "month": lambda: source.choice(
                "January February March April May June August October".split()
            ),
        }
        return words[slot]()

    def _amount(self, value: float) -> str:
        return self._form.format(f"{value:,.{self._digits}f}")

    def _form_of_share(self, value: float) -> str:
        mark = "EUR " if "EUR" in self._form else "Rs " if "Rs" in self._form else "$"
        return f"{mark}{value:.2f}"

    def _percent_sign(self) -> str:
        return "%" if len(self._form) % 2 else " percent"


_AMOUNTS: Sequence[str] = (
    "EUR {} mn", "EUR {} mn", "EUR{}m", "EUR {} million", "{} mln euro", "{} million euros", "$ {} million", "${} million",
    "${}M", "USD {} mn", "Rs {} crore", "SEK {} mn", "£{}m", "${} billion",
)  # fmt: skip
_NESTED = re.compile("{(" + "|".join(_LISTS) + ")}")
_PLACE_IN = re.compile(r"<(?P<name>[A-C])(?P<sign>[-+0]?)>|{(?P<slot>\w+)}")
