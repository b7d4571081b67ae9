"""The words below in, the two sample PDFs out: `python -m api.sample.make_pdfs` writes api/sample/documents/*.pdf.

Run only when the words change; the PDFs are committed. Needs fpdf2, a development dependency. The first is set like a
page of the Federal Register (two columns, running head, page numbers, footnotes at the foot of the column where they are
called, words broken at line ends), so that the demo goes through the reading that real prints need.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF

FOLDER = Path(__file__).parent / "documents"
NOTE = "This is a summary note written for the RegTape sample."
MADE = datetime(2026, 1, 1, tzinfo=UTC)  # fixed, so that the same words give the same bytes

HEADING, TEXT, NOTE_SIZE = 11.0, 10.0, 7.5
LEADING, NOTE_LEADING = 4.5, 3.4
PAGE = (160.0, 220.0)  # mm; small enough that the notes turn a page
TOP, BOTTOM, MARGIN, GUTTER = 22.0, 203.0, 16.0, 6.0
WIDTH = (PAGE[0] - 2 * MARGIN - GUTTER) / 2


@dataclass
class Print:
    """One document: its running head, and blocks ("h", heading) or ("p", text with calls written as ^1)."""

    name: str
    title: str
    head: str
    columns: int
    blocks: list[tuple[str, str]]
    notes: dict[str, str] = field(default_factory=dict)
    first_page: int = 1


FEE_PILOT = Print(
    name="transaction-fee-pilot.pdf",
    title="RegTape sample note: the Transaction Fee Pilot, Rule 610T",
    head="RegTape sample / Notes on market structure / Transaction Fee Pilot",
    columns=2,
    first_page=11,
    blocks=[
        (
            "p",
            f"{NOTE} It restates, in its own words, Securities Exchange Act Release No. 34-84875, 84 FR 5202 (February 20, "
            "2019), which adopted Rule 610T (17 CFR 242.610T), and the judgment that vacated it. It is not the official text.",
        ),
        ("h", "I. Background"),
        (
            "p",
            "Most exchanges charge the taker of liquidity an access fee and pay the maker a rebate. At the time of the pilot "
            "Rule 610(c) capped the access fee at $0.003 per share. The Commission proposed a pilot in March 2018 to learn "
            "whether fees and rebates distort the routing of orders.^1",
        ),
        ("h", "II. The Pilot as Proposed"),
        (
            "p",
            "The Commission proposed three test groups of 1,000 NMS stocks each and a control group. Test Group 1 would have "
            "had a fee cap of $0.0015 per share. Test Group 2 would have had a fee cap of $0.0005 per share. Test Group 3 would "
            "have prohibited rebates and linked pricing.",
        ),
        ("h", "III. The Pilot as Adopted"),
        (
            "p",
            "The Commission adopted two test groups of 730 NMS stocks each. It combined the first two groups into one, with a "
            "fee cap of $0.0010 per share, because commenters were concerned about the size of the pilot.^2 In Test Group 2 as "
            "adopted, an exchange may not pay a rebate and may not offer linked pricing. In the Control Group the cap of Rule "
            "610(c) continues to apply. The pilot covers exchanges with maker-taker and with inverted pricing, and it does not "
            "cover alternative trading systems.",
        ),
        (
            "p",
            "An NMS stock needs a minimum share price of $2 to be selected. The pilot lasts up to two years, with an automatic "
            "sunset at the end of the first year unless the Commission publishes a notice that it continues. A pre-pilot period "
            "and a post-pilot period of six months each give a benchmark.",
        ),
        ("h", "IV. Comments"),
        (
            "p",
            "Many commenters argued that rebates give a broker a conflict of interest with its customer. Other commenters "
            "supported current pricing and argued that rebates promote displayed liquidity and narrower spreads. Some "
            "commenters suggested that the pilot include alternative trading systems; the Commission did not adopt that "
            "suggestion. Several commenters believed that the pilot would harm issuers whose stocks lost rebates.",
        ),
        ("h", "V. Dates"),
        (
            "p",
            "Rule 610T was effective from April 22, 2019, through December 29, 2023. The compliance date was to be designated by "
            "notice under Rule 610T(c)(2). In March 2019 the Commission stayed most of the rule while the exchanges' petitions "
            "for review were pending.^3",
        ),
        ("h", "VI. Vacated"),
        (
            "p",
            "On June 16, 2020, the United States Court of Appeals for the District of Columbia Circuit held that the Commission "
            "had acted without delegated authority and vacated the rule.^4 The court called the pilot an aimless one-off "
            "regulation, adopted merely to collect data. The pilot never started: no stock was ever assigned a test fee.",
        ),
    ],
    notes={
        "1": "The proposal is at 83 FR 13008 (March 26, 2018). Comments were due by May 25, 2018.",
        "2": "See section II.C of the adopting release on the number of stocks in each group.",
        "3": "The petitioners were exchanges of the New York Stock Exchange, Nasdaq and Cboe groups.",
        "4": "New York Stock Exchange LLC v. SEC, 962 F.3d 541 (D.C. Cir. 2020).",
    },
)

MARKET_ACCESS = Print(
    name="market-access-rule-15c3-5.pdf",
    title="RegTape sample note: market access under Rule 15c3-5",
    head="RegTape sample / Market access",
    columns=1,
    blocks=[
        (
            "p",
            f"{NOTE} It restates, in its own words, Securities Exchange Act Release No. 34-63241, 75 FR 69792 (November 15, "
            "2010), which adopted 17 CFR 240.15c3-5, and the extension in Release No. 34-64748, 76 FR 38293 (June 30, 2011). "
            "It is not the official text.",
        ),
        ("h", "1. The problem"),
        (
            "p",
            "Before the rule, some brokers lent customers their market participant identifier and let them send orders straight "
            "to an exchange. In naked or unfiltered access no pre-trade control was applied. One estimate put naked access "
            "at between 10% and 38% of trading in US equities.^1",
        ),
        ("h", "2. What the rule requires"),
        (
            "p",
            "Rule 15c3-5 requires a broker or dealer with market access to establish, document and maintain a system of risk "
            "management controls and supervisory procedures. The financial controls must be reasonably designed to prevent the "
            "entry of orders that exceed appropriate pre-set credit or capital thresholds, or that appear to be erroneous. The "
            "regulatory controls must prevent the entry of orders unless all requirements that apply before order entry are met.",
        ),
        (
            "p",
            "The controls must be under the direct and exclusive control of the broker or dealer with market access. A limited "
            "exception lets certain regulatory controls be allocated to a customer that is itself a registered broker-dealer. "
            "The Chief Executive Officer must certify every year that the controls comply with the rule and that the regular "
            "review has been conducted.",
        ),
        ("h", "3. Comments"),
        (
            "p",
            "The Commission received 47 comment letters, and nearly all supported the goal. Several commenters asked that the "
            "operator of an alternative trading system apply the controls to subscribers that are not broker-dealers, and the "
            "Commission adopted that change. The Commission concluded that controls applied only after a trade are inadequate.",
        ),
        ("h", "4. Dates"),
        (
            "p",
            "The rule became effective on January 14, 2011. The compliance date is July 14, 2011. On June 27, 2011, the "
            "Commission extended the compliance date to November 30, 2011, for the credit and capital thresholds of Rule "
            "15c3-5(c)(1)(i) and for fixed income securities. It did not extend the date for the controls on erroneous and "
            "duplicative orders.",
        ),
        ("h", "5. Effects on latency"),
        (
            "p",
            "Since every order must pass a check before it reaches the market, the rule ended access without any filter. Firms "
            "that compete on speed moved the checks into hardware. The rule sets no limit on how long a check may take.",
        ),
    ],
    notes={
        "1": "The estimate was given in a comment letter that the adopting release cites; it is not a finding of the Commission."
    },
)


class _Page(FPDF):
    """Pages with a running head and a page number, columns filled line by line, footnotes at the foot of each column."""

    def __init__(self, what: Print) -> None:
        super().__init__(format=PAGE)
        self.what = what
        self.wide = WIDTH if what.columns == 2 else 2 * WIDTH + GUTTER
        self.column = -1
        self.notes: list[str] = []
        self.set_auto_page_break(False)
        self.set_title(what.title)
        self.set_author("RegTape sample")
        self.set_creation_date(MADE)
        self.add_page()

    def header(self) -> None:
        number = str(self.what.first_page + self.page_no() - 1)
        self.set_font("Times", "I", 8)
        self.set_xy(MARGIN, 12)
        self.cell(0, 4, self.what.head)
        self.set_xy(-MARGIN - 20, 12)
        self.cell(20, 4, number, align="R")

    def next_column(self) -> None:
        self.column += 1
        if self.column == self.what.columns:
            self.add_page()
            self.column = 0
        self.notes = []
        self.set_xy(MARGIN + self.column * (WIDTH + GUTTER), TOP)

    def room(self, lines: int, notes: list[str]) -> bool:
        kept = sum(len(self._broken(self._note(n), NOTE_SIZE)) for n in [*self.notes, *notes])
        return self.get_y() + lines * LEADING <= BOTTOM - kept * NOTE_LEADING - (3 if kept else 0)

    def block(self, kind: str, text: str) -> None:
        heading = kind == "h"
        size, style = (HEADING, "B") if heading else (TEXT, "")
        lines = self._broken(("" if heading else "   ") + text, size, style)
        if not self.room(3 if heading else 1, []):
            self.foot()
        for line in lines:
            notes = [n for n in self.what.notes if f"^{n}" in line]
            if not self.room(1, notes):
                self.foot()
            self.notes += notes
            self._line(line, size, style)
        self.set_xy(self.get_x(), self.get_y() + LEADING / 2)

    def foot(self, *, last: bool = False) -> None:
        """Footnotes of the column that ends here, then the next column."""
        x = MARGIN + self.column * (WIDTH + GUTTER)
        lines = [line for n in self.notes for line in self._broken(self._note(n), NOTE_SIZE)]
        y = BOTTOM - len(lines) * NOTE_LEADING
        if lines:
            self.line(x, y - 1.5, x + 20, y - 1.5)
        for at, line in enumerate(lines):
            self.set_font("Times", "", NOTE_SIZE)
            self.set_xy(x, y + at * NOTE_LEADING)
            self.cell(self.wide, NOTE_LEADING, line)
        if not last:
            self.next_column()

    def _note(self, number: str) -> str:
        return f"  {number} {self.what.notes[number]}"

    def _line(self, line: str, size: float, style: str) -> None:
        x, y = self.get_x(), self.get_y()
        for at, piece in enumerate(line.split("^")):
            call, words = (piece[:1], piece[1:]) if at else ("", piece)
            for text, points, lift in ((call, size * 0.65, -1.0), (words, size, 0.0)):
                self.set_font("Times", style, points)
                self.set_xy(x, y + lift)
                self.cell(self.get_string_width(text), LEADING, text) if text else None
                x += self.get_string_width(text)
        self.set_xy(MARGIN + self.column * (WIDTH + GUTTER), y + LEADING)

    def _broken(self, text: str, size: float, style: str = "") -> list[str]:
        self.set_font("Times", style, size)
        lines: list[str] = [""]
        indent = text[: len(text) - len(text.lstrip())]
        for word in text.split():
            before = (
                f"{lines[-1]} {word}"
                if lines[-1].strip()
                else lines[-1] + indent * (len(lines) == 1) + word
            )
            if self.get_string_width(before) <= self.wide - 2:
                lines[-1] = before
            elif (
                len(cut := _syllable(word)) == 2
                and self.get_string_width(f"{lines[-1]} {cut[0]}-") <= self.wide - 2
            ):
                lines[-1] += f" {cut[0]}-"
                lines.append(cut[1])
            else:
                lines.append(word)
        return lines


def _syllable(word: str) -> list[str]:
    """A long plain word in two parts, as a narrow column breaks it; other words are left whole."""
    for end in ("mission", "tion", "ment", "change", "change.", "tions", "ing"):
        if word.isalpha() and len(word) > len(end) + 3 and word.endswith(end):
            return [word[: -len(end)], end]
    return [word]


def make(what: Print, folder: Path = FOLDER) -> Path:
    """Write one PDF and return where it is."""
    page = _Page(what)
    page.next_column()
    page.block("h", what.title)
    for kind, text in what.blocks:
        page.block(kind, text)
    page.foot(last=True)
    path = folder / what.name
    page.output(str(path))
    return path


if __name__ == "__main__":
    for what in (FEE_PILOT, MARKET_ACCESS):
        print(make(what).name)
