"""A number in; that many labelled sentences of company news, written by us, out. No outside text is in them.

They teach what the free labelled sets hardly hold: reports in whole sentences ("Operating profit fell to EUR 3.1 mn from
EUR 4.5 mn"), where direction is in a verb, in two numbers, or in both together with what is counted (a loss, a cost, a
sale); plain facts that are no news for an investor; negation; guidance; and sentences with two companies. Names are made up.
"""

import random
import re
from collections.abc import Callable, Sequence

from sentiment.labelled import Row

# --- Words that fill the places of a pattern. `a|b` is a choice.

_GOOD_WHEN_UP = (
    "operating profit|net profit|pretax profit|profit before taxes|net sales|sales|turnover|revenue|EBIT|EBITDA|"
    "operating result|net income|earnings per share|the order intake|the order book|cash flow from operations|"
    "the operating margin|gross profit|net interest income|rental income|comparable sales|like-for-like sales|"
    "the number of subscribers|passenger traffic|deliveries|market share|return on equity|quarterly earnings|"
    "adjusted EPS|commission income|export volumes|same-store sales|the company's equity ratio|production"
)
_BAD_WHEN_UP = (
    "the net loss|the operating loss|the pretax loss|operating expenses|raw material costs|credit losses|net debt|"
    "impairment losses|loan loss provisions|customer churn|energy costs|restructuring charges|unsold inventories|"
    "the quarterly loss|bad debts|the loss before taxes|claims"
)
_UP = "rose|increased|grew|climbed|went up|improved|was up|advanced"
_UP_STRONG = "jumped|surged|soared|more than doubled|doubled|leapt|rose sharply|rallied"
_DOWN = "fell|decreased|declined|dropped|went down|was down|slipped|weakened|shrank"
_DOWN_STRONG = "plunged|tumbled|slumped|halved|collapsed|fell sharply|sank"
_PERIOD = (
    "in the first quarter|in the second quarter|in the third quarter of {year}|in the fourth quarter|in January-June {year}|"
    "in {year}|in the review period|for the full year|in the nine months to September|during the period|in the half year"
)
_THAN = (
    "a year earlier|in the corresponding period of {before}|in the same period a year ago|in {before}|year-on-year|"
    "in the previous quarter|the year before|in the comparable period"
)
_FIRST = "Nor|Hal|Bri|Vel|Kar|Tam|Lin|Ost|Mer|Dal|Fen|Gra|Sol|Ter|Var|Wes|Ald|Cor|Ekh|Rau|Pel|Sten|Hol|Ara|Quen|Bel|Zan|Iv"
_LAST = "vale|den|tex|mark|ton|ria|lund|ova|mont|field|sted|ika|berg|on|ora|wick|port|ana|ex|con|land|dor|ium|ala"
_KIND = "||| Oyj| Group| plc| Corp| Inc| AB| Energy| Bank| Motors| Pharma| Holdings| Steel| Telecom| Foods| Industries| Ltd"
_PLACE = "Finland|Sweden|Poland|Germany|Estonia|Russia|Brazil|India|Texas|Ohio|Spain|the Baltic countries|China|Norway|Turkey"
_TOWN = "Helsinki|Tampere|Riga|Gdansk|Leeds|Lyon|Pune|Dallas|Turin|Oslo|Tallinn|Espoo|Malmo|Austin|Porto"
_THING = (
    "paper machine|power plant|software platform|crane|tyre plant|mobile network|data centre|packaging line|harbour|"
    "shopping centre|office building|payment system|engine|elevator|wind farm|steel mill|bus fleet|warehouse|ferry"
)
_BUSINESS = (
    "packaging|mobile games|forestry machines|building materials|online banking|medical devices|wireless services|logistics|"
    "dairy products|sports equipment|speciality chemicals|real estate|textiles|electronics|publishing|food retail"
)
_JOB = (
    "chief executive officer|chief financial officer|head of communications|chairman of the board|country manager|"
    "plant manager"
)

# --- Patterns. <A> and <B> are companies; the label is of the whole. {m} good when up, {w} bad when up.

_POSITIVE = """
{m} {up} to {high} from {low} {than}.
<A>'s {m} {up} by {pct} to {high} {period}.
{m} {up2} to {high}, compared with {low} {than}.
{m} totalled {high}, up from {low} {than}.
<A> reported {m} of {high}, as against {low} {than}.
{m} amounted to {high} {period}, compared to {low} {than}.
{period}, {m} {up} by {pct} from {low} to {high}, while sales {up} by {pct}.
{w} {down} to {low} from {high} {than}.
{w} narrowed to {low} from {high} {than}.
<A> narrowed its loss to {low} from {high} {than}.
<A> turned a profit of {low} {period}, compared with a loss of {high} {than}.
<A> swung to a net profit of {low} from a loss of {high}.
<A> posted a pretax profit of {high} versus a loss of {low} {than}.
Earnings per share were {eps2}, up from {eps1} {than}.
The operating margin improved to {pct2} from {pct1}.
<A> beats estimates and raises its outlook for {year}.
<A> raised its full-year guidance after stronger demand.
<A> lifts profit forecast on strong demand in {place}.
<A>'s results were clearly better than expected.
The result beat analysts' expectations.
<A> has won an order worth {v} from <B>.
<A> has received a major order for a {thing} from a customer in {place}.
<A> won a contract to supply a {thing} to {place}.
<A> wins {v} contract.
<A> and <B> signed a long-term agreement that strengthens their cooperation.
<A> has been chosen as the main supplier of the {thing} in {place}.
The board proposes to raise the dividend to {eps2} per share from {eps1}.
<A> declares a special dividend and will buy back shares worth {v}.
<A> expects its net sales to grow {period}.
<A> estimates that its operating profit will improve from last year.
The company expects demand to remain strong and profitability to improve.
The investment will increase production capacity by {pct} and create {n} new jobs.
<A> will open {n} new stores in {place} to meet growing demand.
<A> is expanding its operations in {place} thanks to strong demand.
The new {thing} will cut costs and improve the company's competitiveness.
The acquisition strengthens <A>'s position in {place} and will improve earnings from the start.
The deal is expected to bring annual synergies of {v}.
<A> increased its market share in {place}.
<A>'s shares {up2} {pct} after the results.
<A> shares closed up {pct} at a record high.
Shares in <A> gained {pct} on the news.
<A> upgraded to buy from hold at <B>.
Analysts at <B> raised their price target for <A>.
<A> pays back its loans ahead of schedule and cuts debt.
<A> no longer expects a loss this year.
The company's liquidity is strong and its order book is at a record level.
<A> was named supplier of the year for the quality of its {business}.
Regulators approved <A>'s new drug for sale in {place}.
<A> avoids a strike as a wage deal is reached.
<A> did not cut its dividend, despite earlier fears.
Demand for {business} in {place} has picked up, and prices have risen.
Sales developed well in all markets, the chief executive said.
"We are very pleased with the strong growth in {place}," said the {job} of <A>.
The cost savings programme proceeds faster than planned.
The recall at <A> was lifted and production is back to full capacity.
{m} {up} {pct} despite weak markets.
Despite the fall in sales, {m} {up} to {high} from {low}.
<A> has brought its new {thing} into use, which doubles output.
<A> secured financing of {v} for its growth plans.
Fewer customers left <A> than a year ago.
<A> launches a faster {thing} that gives customers better results at a lower cost.
<A>'s new service makes it easier for customers to save time and money.
<A>'s profit will exceed last year's, helped by lower costs.
The agreement gives <A> access to a large and growing market in {place}.
Orders for {business} {up2} in {place}.
"""

_NEGATIVE = """
{m} {down} to {low} from {high} {than}.
<A>'s {m} {down} by {pct} to {low} {period}.
{m} {down2} to {low}, compared with {high} {than}.
{m} totalled {low}, down from {high} {than}.
<A> reported {m} of {low}, as against {high} {than}.
{m} amounted to {low} {period}, compared to {high} {than}.
{period}, {m} {down} by {pct} from {high} to {low}, while sales {down} by {pct}.
{w} {up} to {high} from {low} {than}.
{w} widened to {high} from {low} {than}.
<A> made a net loss of {high} {period}, compared with a profit of {low} {than}.
<A> swung to a loss of {low} from a profit of {high}.
<A> posted a pretax loss of {high} versus a profit of {low} {than}.
Earnings per share were {eps1}, down from {eps2} {than}.
The operating margin fell to {pct1} from {pct2}.
<A> issued a profit warning and cut its outlook for {year}.
<A> cuts its full-year guidance on weak demand.
<A> beat estimates but lowered its outlook for the rest of the year.
Profit rose, but <A> warned that next year will be worse.
<A> missed analysts' expectations.
The result fell short of expectations.
<A> will lay off {n} employees at its plant in {town}.
<A> to cut {n} jobs as orders dry up.
<A> starts negotiations on temporary layoffs that concern {n} employees.
The personnel reductions will affect {n} people in {town}.
<A> closes its {business} unit in {place}.
<A> will shut down the {thing} in {town} because of poor profitability.
<A> lost a contract worth {v} to <B>.
<B> cancelled its order for a {thing} from <A>.
The board proposes that no dividend be paid.
<A> cuts its dividend to {eps1} from {eps2} per share.
<A> expects its net sales to decline {period}.
<A> estimates that its operating profit will be clearly lower than last year.
The company expects demand to weaken further.
A strike has stopped production at <A>'s plant in {town}.
<A> was fined {v} for taking part in a cartel.
<A> recalls its {thing} after faults were found.
<A> faces a lawsuit over its {business}.
The court ordered <A> to pay {v} in damages.
<A> files for bankruptcy.
<A>'s shares {down2} {pct} after the results.
<A> shares closed down {pct}.
Shares in <A> lost {pct} on the news.
<A> downgraded to sell from hold at <B>.
Analysts at <B> cut their price target for <A>.
<A> does not expect to make a profit this year.
<A> did not raise its dividend as had been hoped.
<A>'s growth was not enough to cover its costs.
The delay of the {thing} will cost <A> some {v}.
A fire stopped production at the {thing} in {town}.
<A> wrote down the value of its {business} business by {v}.
Demand for {business} in {place} has weakened, and prices have fallen.
Rising raw material prices weighed on the result.
Competition has become tougher and margins are under pressure.
"The market situation is very difficult," said the {job} of <A>.
<A>'s credit rating was cut to junk.
The planned merger of <A> and <B> was blocked by the regulator.
<A> lost market share in {place}.
{m} {down} {pct} despite higher sales.
Despite the rise in sales, {m} {down} to {low} from {high}.
<A> withdraws its guidance because of uncertainty in {place}.
<A>'s production was disrupted by a cyberattack.
Orders for {business} {down2} in {place}.
The weak economy in {place} hurt sales of {business}.
"""

_NEUTRAL = """
<A> is a company that makes {business} and employs {n} people in {place}.
<A>, based in {town}, provides {business} to customers in {place}.
<A> is the parent company of <B>, which operates in {place}.
The company's net sales were {v} {period}.
<A> had net sales of {v} and some {n} employees in {year}.
In {year}, the group's turnover was {v} and it employed {n} people.
Its turnover was around {v} in {before}.
The value of the contract is {v}.
The value of the order was not disclosed.
Financial details of the deal were not disclosed.
The parties have agreed not to disclose the price.
The {thing} will be delivered in the second half of {year}.
Deliveries will begin in {year} and are to be completed by the end of the year.
The {thing} is located in {town}, and covers an area of {n} square metres.
Construction of the {thing} will start in {year} and is due to be completed in {year}.
The annual general meeting of <A> will be held in {town} on {day} {month} {year}.
<A> will publish its interim report on {day} {month} {year}.
The conference call on the results starts at 10 a.m. local time.
<A> appoints a new {job}.
<A> has appointed the {job} of its {business} unit, effective {day} {month}.
The new {job} will take up the post in {month} {year} and report to the board.
<A>'s board of directors has {d} members.
<A> has acquired a {pct} stake in <B>.
<A> holds {pct} of the shares and votes of <B>.
<A>'s holding in <B> has fallen below the threshold of {pct}.
After the transaction <A> will own {pct} of <B>.
The total number of shares in <A> is {n} million, each entitling to one vote.
The shares subscribed with options were entered in the trade register on {day} {month} {year}.
The subscription price of the shares is {eps1} each.
The company's shares are listed in {town}.
<A> sells its {business} unit to <B>.
<A> will sell its stake in <B> to a group of investors.
<A> is in talks with <B> on a sale of its {business} business.
<A> considers an offer for the {business} operations of <B>.
The transaction requires the approval of the authorities.
<A> and <B> will set up a joint venture in {place}.
The agreement covers the maintenance of the {thing} for {d} years.
The service will be available in {place} from {month}.
The {thing} has a capacity of {n} tonnes a year.
Of the company's net sales, {pct} came from {place} and the rest from other countries.
The group's business areas are {business} and {business}.
<A> offers a range of {business} for homes and offices.
The product is aimed at customers in {place}.
The report looks at the market for {business} in {place}.
A total of {n} people took part in the survey.
The company did not comment on the report.
<A> declined to comment.
<A> plans to move its head office to {town}.
<A>'s operating profit was unchanged at {v} {period}.
{m} was {v}, the same as {than}.
{m} remained at the level of the previous year.
<A> keeps its full-year outlook unchanged.
<A> reiterates its guidance for {year}.
<A> reaffirmed at hold by <B>.
<A> declares a quarterly dividend of {eps1} per share.
<A> goes ex-dividend on {day} {month}.
The dividend will be paid on {day} {month} {year}.
<A> issues bonds worth {v}.
The loan has a term of {d} years.
Trading in <A>'s shares closed unchanged.
<A> shares traded at {eps2} on {day} {month}.
The {business} unit will be transferred to <B> on {day} {month}, and {n} employees will move with it.
The name of the company will be changed to <B>.
<A>'s chief executive spoke at a conference in {town}.
The company has offices in {town}, {town} and {town}.
The new {thing} replaces one built in {before}.
The bank acts as adviser to <A> in the transaction.
The accounts have been prepared in line with IFRS.
The information was given to the media on {day} {month} {year}.
"It is a part of our plan," the {job} of <A> said.
The work will be done together with <B>.
What to know about <A> before its results on {day} {month}.
The project also includes a {thing} and a {thing}.
The {thing} can be used at home, at work and on the road.
The decision will be made by the city of {town} in {month}.
<A> uses {business} from several suppliers.
It also owns the {business} brand sold in {place}.
The figures for {before} have been restated.
The Finance Ministry holds {pct} of the company.
"""

# Each company's own label is after its sign: + good, - bad, 0 neither.
_TWO = """
<A+> gains as <B-> slides.
<A-> falls while <B+> rises {pct}.
<A+> beat forecasts, <B-> missed them.
<A+> wins contract from <B->.
<A+> takes market share from <B->.
<A-> shares {down2}, <B+> shares {up2}.
<B-> cut its outlook, but <A+> raised it.
<A+> upgraded, <B-> downgraded at <C0>.
<C0> raises its price target for <A+>.
<C0> cuts <A-> to sell.
<A+> rises after <C0> sells its stake.
<A-> recalls its {thing}; rival <B+> sees more orders.
Profit at <A+> {up} {pct}; at <B-> it {down} {pct}.
<A+> reported {m} of {high}, up from {low}, unlike <B->, whose {m} {down}.
<A-> sues <B->, says it copied its {thing}.
<A+> wins lawsuit against <B->.
<B-> must pay {v} to <A+>, court rules.
<A0> says <B-> will lay off {n} people.
<A-> and <B-> {down} on weak demand, <C+> bucks the trend.
<A+> and <B+> led the gainers, <C-> was the biggest loser.
<A-> was hit by the strike; <B0> was not affected.
<A0> appoints the former {job} of <B0>.
<A0> hires the {job} of <B0>.
<A0> to buy the {business} unit of <B0>.
<A0> in talks with <B0> on a joint venture.
<A0>, a partner of <B0>, opened an office in {town}.
<A+> {up2} after <B0> made an offer for it.
<A-> {down2} as <B0> walks away from a deal.
<A0> analysts expect <B+> to raise its dividend.
<A0> analysts expect <B-> to cut its dividend.
Unlike <A->, <B+> kept its dividend.
<A+> is not among those hurt by the failure of <B->.
""".strip()

_SENTENCES = tuple(
    (pattern, label)
    for label, block in (("positive", _POSITIVE), ("negative", _NEGATIVE), ("neutral", _NEUTRAL))
    for pattern in block.strip().splitlines()
)
_PAIRS = tuple(_TWO.splitlines())
_SHARES = {"neutral": 0.45, "positive": 0.32, "negative": 0.23}
_SIGNS = {"+": "positive", "-": "negative", "0": "neutral"}


def written_rows(count: int, seed: int = 0) -> list[Row]:
    """Rows of the set "written": two thirds about the whole sentence, a third about a company in it."""
    source = random.Random(seed)
    by_label = {label: [p for p, said in _SENTENCES if said == label] for label in _SHARES}
    rows: dict[tuple[str, tuple[tuple[int, int], ...]], Row] = {}
    for _ in range(50 * count):  # patterns without places run out: what is said twice counts once
        if len(rows) >= count:
            break
        if source.random() < 0.85:
            label = source.choices(list(_SHARES), list(_SHARES.values()))[0]
            made = [Row("written", fill(source.choice(by_label[label]), source)[0], label)]
        else:
            text, marks = fill(source.choice(_PAIRS), source)
            made = [Row("written", text, label, (span,)) for span, label in marks]
        for row in made:
            rows.setdefault((row.text, row.spans), row)
    return list(rows.values())[:count]


def fill(pattern: str, source: random.Random) -> tuple[str, list[tuple[tuple[int, int], str]]]:
    """A pattern with its places filled; the spans of companies that carry a sign, and their labels."""
    numbers = _Numbers(source)
    names: dict[str, str] = {}
    text, marks, at = "", [], 0
    opened = _NESTED.sub(lambda m: source.choice(_LISTS[m[1]].split("|")), pattern)
    for place in _PLACE_IN.finditer(opened):
        text += opened[at : place.start()]
        at = place.end()
        if place["name"]:
            name = names.setdefault(place["name"], company(source))
            if place["sign"]:
                marks.append(((len(text), len(text) + len(name)), _SIGNS[place["sign"]]))
            text += name
        else:
            text += numbers.word(place["slot"])
    text += opened[at:]
    return text[0].upper() + text[1:], marks


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
        return self._form.format(f"{value:.{self._digits}f}")

    def _form_of_share(self, value: float) -> str:
        mark = "EUR " if "EUR" in self._form else "Rs " if "Rs" in self._form else "$"
        return f"{mark}{value:.2f}"

    def _percent_sign(self) -> str:
        return "%" if len(self._form) % 2 else " percent"


_AMOUNTS: Sequence[str] = (
    "EUR {} mn", "EUR {} mn", "EUR{}m", "EUR {} million", "{} mln euro", "{} million euros", "$ {} million", "${} million",
    "${}M", "USD {} mn", "Rs {} crore", "SEK {} mn", "£{}m", "${} billion",
)  # fmt: skip
_LISTS = {
    "m": _GOOD_WHEN_UP, "w": _BAD_WHEN_UP, "up": _UP, "up2": _UP_STRONG, "down": _DOWN, "down2": _DOWN_STRONG,
    "place": _PLACE, "town": _TOWN, "thing": _THING, "business": _BUSINESS, "job": _JOB, "period": _PERIOD, "than": _THAN,
}  # fmt: skip
_NESTED = re.compile("{(" + "|".join(_LISTS) + ")}")
_PLACE_IN = re.compile(r"<(?P<name>[A-C])(?P<sign>[-+0]?)>|{(?P<slot>\w+)}")
