"""A parsed Document in, its Metadata filled from its own words.

What a document says of itself stands near its beginning (the preamble of a release, the head of a
Federal Register print, the cover of a filing) and at its end (the signature, the "[FR Doc." line).
Only there are its own numbers and dates looked for: the text between cites those of a hundred
others. Unknown stays None.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date

from ingest.civil import DAY, MONTH, day_at, day_before
from ingest.document import PROPERTIES, Authority, DocType, Document, Metadata, Section, Where
from ingest.known import Cited, cited_releases, identifiers, public_moment
from ingest.moment import parse_moment
from ingest.origin import (
    CFR_PATH,
    EU_IN_NAME,
    EVENT,
    FORM,
    GUIDE,
    HEAD,
    MIRRORS,
    PERIOD,
    RELEASE,
    STATEMENT,
    USC_PATH,
    authority,
    is_codified,
    is_filing,
    is_summary,
    on_site,
    registrant,
    rule_sections,
    statement_type,
)
from ingest.reading import (
    FR_FILED,
    FR_IN_ADDRESS,
    FR_NUMBER,
    FR_RUNNING,
    FR_VOLUME,
    OURS,
    SEC,
    Reading,
)
from ingest.stamps import read_dates

__all__ = ["Cited", "authority", "cited_releases", "describe", "identifiers", "public_moment"]


def describe(document: Document, name: str, given: Mapping[str, str] | None = None) -> None:
    """Fill `document.metadata` in place from the text, the name and what is given.

    given: a manifest row; its values win over read ones and say "manifest" in `where`. What the
    parser has already set is kept. May be called again with more given.
    """
    metadata = document.metadata
    _forget(metadata)
    _take(metadata, given or {})
    reading = Reading(document, name)
    _read_address(reading)
    metadata.authority = _kept(metadata, "authority") or authority(document, name, metadata.url)
    metadata.where.setdefault("authority", Where(OURS + "the kind of text and its address"))
    for read in (
        _read_codified,
        _read_filing,
        _read_numbers,
        _read_type,
        _read_results,
        _read_title,
        _read_agency,
        read_dates,
    ):
        read(reading)
    _read_sections(reading)
    _read_primary(reading)
    _read_language(reading)


# --- what is given and what was read before -----------------------------------------------------


def _forget(metadata: Metadata) -> None:
    empty = Metadata()
    for name, where in list(metadata.where.items()):
        if where.place.startswith(OURS):
            del metadata.where[name]
            if hasattr(empty, name):
                setattr(metadata, name, getattr(empty, name))


def _kept(metadata: Metadata, name: str) -> Authority | None:
    return metadata.authority if name in metadata.where else None


_DATES = ("published_on", "effective_on", "compliance_on", "period")
_TUPLES = ("rin", "file_numbers", "cfr_sections")


def _take(metadata: Metadata, given: Mapping[str, str]) -> None:
    """Raises ValueError for a value that cannot be meant (a manifest's reader checks before)."""
    known = {field.name for field in fields(Metadata)} - {"where"}
    for name, value in given.items():
        if name in known and value:
            setattr(metadata, name, given_value(name, value))
            metadata.where[name] = Where("manifest")


def given_value(name: str, value: str) -> object:
    """The typed value of a Metadata field given as text; ValueError when it cannot be that."""
    if name in _DATES:
        return date.fromisoformat(value)
    if name in _TUPLES:
        return tuple(part.strip() for part in re.split(r"[;,]", value) if part.strip())
    if name == "accepted_at":
        return parse_moment(value)
    if name == "doc_type":
        return DocType(value)
    if name == "authority":
        return Authority(value)
    return value


_FRCITE_IN_ADDRESS = re.compile(r"/(\d{2,3})-FR/(\d{3,6})\b")
_RELEASE_IN_ADDRESS = re.compile(r"/((?:33|34|35|39|ia|ic)-\d{4,6})(?=[./_-]|$)", re.IGNORECASE)


def _read_address(reading: Reading) -> None:
    first = next(iter(reading.document.sections), None)
    if first and first.label == "URL":
        reading.set(
            "url", reading.text[first.start : first.end].strip(), "header", first.start, first.end
        )


# --- codified text: CFR, United States Code, EU -------------------------------------------------

_CODE_TITLE = re.compile(r"(?m)^(?:Title )?(\d+)(?: CFR\b|(?<=Title \d)\b|(?<=Title \d\d)\b)")
_EU_UNIT = re.compile(r"(Article|Recital|Annex)_0*(\d+\w?)", re.IGNORECASE)


def _read_codified(reading: Reading) -> None:
    document, name = reading.document, reading.name
    if document.format == "ecfr-xml":
        reading.set("doc_type", DocType.REGULATION, "the format")
    if not is_codified(document, name):
        return
    rules = rule_sections(document)
    headings = [heading for s in rules for heading in s.path]
    if any(map(CFR_PATH.match, headings)):
        reading.set("doc_type", DocType.REGULATION, "section headings")
        sections = dict.fromkeys(f"{m[1]}.{m[2]}" for m in map(CFR_PATH.match, headings) if m)
        reading.set("cfr_sections", tuple(sections), "section headings")
        stated = _CODE_TITLE.search(reading.text[:500])
        title = stated[1] if stated else "17"
        if title == "17" and next(iter(sections)).startswith(_SEC_PARTS):
            reading.set("agency", SEC, "section number")
        named = next(heading for heading in headings if CFR_PATH.match(heading))
        shown = _cited_as_cfr(named, title) if len(sections) == 1 else f"{title} CFR"
        reading.set("title", shown, "section headings")
    elif any(map(USC_PATH.match, headings)):
        _read_statute(reading, rules)
    elif number := _eu_number(name):
        unit = _EU_UNIT.search(name)
        shown = f"{unit[1].capitalize()} {unit[2]}" if unit else "the act"
        reading.set("doc_type", DocType.REGULATION, "name")
        reading.set("file_numbers", (f"EU {number} {shown}",), "name")
        reading.set("agency", "European Union", "name")
        first = rules[0].path[0] if rules and rules[0].path else shown
        act = re.search(r"(?m)^(.{0,80}\((?:EU|UE)\) .{3,40})$", document.text[:300])
        reading.set("title", act[1] if act else f"{first} of (EU) {number}", "name")


def _cited_as_cfr(heading: str, title: str) -> str:
    """ "17 CFR 242.610T Equity fee pilot" of "§ 242. 610T Equity fee pilot." """
    shown = re.sub(r"(?<=\d\.) (?=\d)", "", heading.removeprefix("§").strip())
    return f"{title} CFR {shown.rstrip('.')}"


_SEC_PARTS = ("200.", "201.", "202.", "21", "22", "23", "24", "25", "26", "27", "28")


def _read_statute(reading: Reading, rules: Sequence[Section]) -> None:
    headings = [heading for s in rules for heading in s.path]
    section = next(m[1] for m in map(USC_PATH.match, headings) if m).replace("\u2013", "-")
    title = next((m[1] for m in map(_CODE_TITLE.match, headings) if m), "15")
    # A file that holds one subsection only is a work of its own, not a version of the section.
    labels = [s.label for s in rules if s.label]
    part = (
        (labels[1] if len(labels) > 1 else labels[0])
        if labels and len(rules[-1].path) > len(rules[0].path)
        else ""
    )
    reading.set("doc_type", DocType.STATUTE, "section headings")
    reading.set("file_numbers", (f"{title} U.S.C. {section}{part}",), "section headings")
    named = next((h for h in headings if USC_PATH.match(h)), "")
    reading.set(
        "title",
        f"{title} U.S.C. {named.removeprefix('§ ')} {labels[0] if part else ''}".strip(),
        "section headings",
    )


def _eu_number(name: str) -> str | None:
    """ "2017/588" of "rts11_2017-588_tick_size/…"; "600/2014" of "mifir_600-2014/…": as the act
    itself is numbered.
    """
    match = EU_IN_NAME.search(name)
    if not match:
        return None
    return (
        f"{match['year']}/{match['late']}" if match["year"] else f"{match['early']}/{match['of']}"
    )


# --- filings ------------------------------------------------------------------------------------

# What a cover prints on the same line as the registrant's name.
_BESIDE_NAME = re.compile(
    rf"(?i)^.*\bended:? {MONTH} \d{{1,2}}, \d{{4}}[ |]*|[ |]*\bcommission file n.*$|^.*\d{{4}}\b[ |]+(?=[A-Z])"
)
_ACCESSION = re.compile(r"(?<!\d)(\d{10}-\d{2}-\d{6})(?!\d)")
_FILER_CIK = re.compile(r"(?i)central index key:?\s*(\d{7,10})")


def _read_filing(reading: Reading) -> None:
    if not is_filing(reading.document, reading.head):
        return
    reading.set("doc_type", DocType.FILING, "cover")
    reading.set("agency", SEC, "cover")
    if form := FORM.search(reading.head):
        shown = re.sub(r"^(10|8|20|40)(?=[A-Z])", r"\1-", form[1].upper())
        reading.set("form", shown, "cover", form.start(1), form.end(1))
    if line := registrant(reading.head):
        shown = _BESIDE_NAME.sub("", reading.head[slice(*line)]).strip(" _*|")
        reading.set("company", shown, "cover", *line)
    for cue in (PERIOD, EVENT):
        if ((match := cue.search(reading.head)) and (day := day_at(reading.head, match.end()))) or (
            match and (day := day_before(reading.head, match.start()))
        ):
            reading.set("period", day.on, "cover", day.start, day.end)
    if number := _ACCESSION.search(reading.name):
        reading.set("accession", number[1], "file name")
    if cik := _FILER_CIK.search(reading.head):
        reading.set("cik", cik[1].zfill(10), "cover", cik.start(1), cik.end(1))
    title = _cover_title(reading.metadata)
    if title and reading.metadata.where.get("title") == Where(PROPERTIES):
        reading.forget("title")  # a file's properties hold a printer's job name as often as a title
    reading.set("title", title, "cover")
    _read_signature_of_filing(reading)


_REPORTS = re.compile(
    r"(?P<company>[A-Z][\w&.'’-]*(?: [A-Z&][\w&.'’-]*){0,5}?,? (?:Inc|Corp|Corporation|Company|Co|Ltd|plc|N\.V)\b\.?) "
    r"\((?:NYSE|Nasdaq|NASDAQ)[^()]{0,20}: ?[A-Z.]{1,6}\),? (?:today )?(?:reported|announced)\b"
)
_ENDED = re.compile(r"\bended:? ")


def _read_results(reading: Reading) -> None:
    """Of a company's own release of its results: who says so, and the end of the period."""
    head = reading.head
    if reading.metadata.company or not (said := _REPORTS.search(head)):
        return
    reading.set("company", said["company"], "text", *said.span("company"))
    if (ended := _ENDED.search(head)) and (day := day_at(head, ended.end())):
        reading.set("period", day.on, "text", day.start, day.end)


def _cover_title(metadata: Metadata) -> str | None:
    """ "Lamp Oil, Inc.: Form 10-K, 2030-12-31"; a cover has no title of its own."""
    if not metadata.form:
        return None
    company = f"{metadata.company}: " if metadata.company else ""
    period = f", {metadata.period}" if metadata.period else ""
    return f"{company}Form {metadata.form}{period}"


_SIGNATURES = re.compile(r"(?mi)^SIGNATURES?$")
_SIGNED_ON = re.compile(r"(?i)\b(?:dated?|authorized, (?:as of|on))\s*(?:this|as of)?\s*:?[\s|]*")


def _read_signature_of_filing(reading: Reading) -> None:
    """The day it was signed: a filing is sent that day or soon after. Exhibits have signatures too;
    the filing's own is the first that is not before its period.
    """
    if reading.metadata.accepted_at:
        return
    for heading in _SIGNATURES.finditer(reading.text):
        after = reading.text[heading.end() : heading.end() + 1500]
        for cue in _SIGNED_ON.finditer(after):
            day = day_at(after, cue.end())
            if day and (reading.metadata.period is None or day.on >= reading.metadata.period):
                at = heading.end()
                reading.set("published_on", day.on, "signature", at + day.start, at + day.end)
                return


# --- numbers ------------------------------------------------------------------------------------

_RIN = re.compile(r"\bRIN:? ?(\d{4}[-\u2013][A-Z]{2}\d{2})\b")
_FILE_NUMBER = re.compile(
    r"\b(S7-\d{1,4}-\d{2,4}|SR-[A-Z][A-Za-z0-9]*-\d{2,4}-\d{1,4}|(?<=No\. )(?:4-\d{3}|10-\d{3}|"
    r"270-\d{1,4}))\b"
)
_FR_DOC = re.compile(rf"\bFR Doc(?:ument)?\.?(?: No)?[.:]? ?({FR_NUMBER})\b")
_FR_PAGES = re.compile(r"\[Pages? ?(\d{2,6})")
_FR_CITE_LINE = re.compile(r"(?m)^(\d{2,3}) FR (\d{3,6}) - |^Citation: (\d{2,3}) FR (\d{3,6})")


def _read_numbers(reading: Reading) -> None:
    url = reading.metadata.url or ""
    if reading.official and reading.metadata.doc_type not in (
        DocType.FILING,
        DocType.REGULATION,
        DocType.STATUTE,
    ):
        reading.find("release", RELEASE)
        if match := _RELEASE_IN_ADDRESS.search(url):
            reading.set("release", match[1].upper(), "url")
        _read_fr_numbers(reading, url)
        numbers = dict.fromkeys(
            match[1] for match in _FILE_NUMBER.finditer(_before_summary(reading))
        )
        reading.set("file_numbers", tuple(numbers), "header")
        reading.set(
            "rin",
            tuple(dict.fromkeys(m[1].replace("\u2013", "-") for m in _RIN.finditer(reading.head))),
            "header",
        )


def _before_summary(reading: Reading) -> str:
    summary = reading.fields.get("SUMMARY") or reading.fields.get("ADDRESSES")
    return reading.head[: summary.start] if summary else reading.head[:HEAD]


def _read_fr_numbers(reading: Reading, url: str) -> None:
    reading.find("fr_document", _FR_DOC, "Federal Register header")
    if filed := FR_FILED.search(reading.text):
        at = filed.start()
        reading.set(
            "fr_document",
            filed[1].replace("\u2013", "-"),
            "Federal Register signature",
            at,
            at + len(filed[0]),
        )
    if match := FR_IN_ADDRESS.search(url):
        reading.set("fr_document", match[1], "url")
    volume, pages = FR_VOLUME.search(reading.head), _FR_PAGES.search(reading.head)
    if volume and pages and (number := volume[1] or volume[3]):
        reading.set(
            "fr_citation",
            f"{number} FR {_first_page(reading) or pages[1]}",
            "Federal Register header",
            pages.start(),
            pages.end(),
        )
    running = FR_RUNNING.search(reading.head)
    if running and reading.document.pages and (page := reading.document.pages[0].printed):
        reading.set("fr_citation", f"{running[1]} FR {page}", "Federal Register running head")
    if cite := _FR_CITE_LINE.search(reading.head):
        reading.set(
            "fr_citation",
            f"{cite[1] or cite[3]} FR {cite[2] or cite[4]}",
            "header",
            cite.start(),
            cite.end(),
        )
    if match := _FRCITE_IN_ADDRESS.search(url):
        reading.set("fr_citation", f"{match[1]} FR {match[2]}", "url")


def _first_page(reading: Reading) -> str | None:
    """The printed page its own number stands on: a part of an issue has a cover page before it."""
    own = RELEASE.search(reading.head)
    pages = reading.document.pages if own else ()
    return next((p.printed for p in pages if own and p.start <= own.start() < p.end), None)


# --- type, title, agency ------------------------------------------------------------------------

_TYPE_OF_ACTION = (
    (r"withdraw", DocType.WITHDRAWAL),
    (r"proposed rule|re-?propos|proposed amendment|proposal", DocType.PROPOSED_RULE),
    (
        r"final rule|final amendment|adopt|interim final|temporary rule|direct final|"
        r"technical amendment",
        DocType.FINAL_RULE,
    ),
    (r"interpret|guidance", DocType.INTERPRETATION),
    (r"\border\b", DocType.ORDER),
    (r"notice|request for comment", DocType.NOTICE),
    (r"\brule\b", DocType.FINAL_RULE),
)
_TYPE_OF_TITLE = (
    (r"\bnotice of withdrawal\b|\bwithdrawal of (?:a )?propos", DocType.WITHDRAWAL),
    (r"(?:^|; )order\b", DocType.ORDER),
    (r"\bnotice\b|\bproposed collection\b|\bsunshine act\b|\bsubmission for omb\b", DocType.NOTICE),
    (r"; proposed rule|^proposed rule", DocType.PROPOSED_RULE),
    (r"; final rule|^final rule", DocType.FINAL_RULE),
)


def _read_type(reading: Reading) -> None:
    head = reading.head
    if reading.official:
        action = reading.fields.get("ACTION")
        shown = reading.text[action.start : action.end] if action else ""
        if not shown and (match := re.search(r"(?mi)^[^\w\n]{0,9}ACTION ?:\s*(.{3,200})", head)):
            shown = match[1]
        for pattern, doc_type in _TYPE_OF_ACTION if shown else ():
            if re.search(pattern, shown, re.IGNORECASE):
                reading.set(
                    "doc_type",
                    doc_type,
                    "ACTION line",
                    *((action.start, action.end) if action else ()),
                )
                return
        title = reading.metadata.title or _title(reading) or head[:400]
        for pattern, doc_type in _TYPE_OF_TITLE:
            if re.search(pattern, title, re.IGNORECASE):
                reading.set("doc_type", doc_type, "title")
                return
        for mark, doc_type in (
            ("[Proposed Rules]", DocType.PROPOSED_RULE),
            ("[Rules", DocType.FINAL_RULE),
        ):
            if mark in head:
                reading.set("doc_type", doc_type, "Federal Register header")
        reading.set("doc_type", DocType.NOTICE if "[Notices]" in head else DocType.OTHER, "header")
        return
    stated = statement_type(head, reading.metadata.url)
    if reading.metadata.authority is Authority.OFFICIAL_STATEMENT:
        reading.set("doc_type", stated or DocType.STATEMENT, "text")
    guide = DocType.GUIDE if GUIDE.search(head[:600]) else None
    about = reading.metadata.primary or is_summary(head) or _on_post(reading)
    reading.set("doc_type", guide or (DocType.NEWS if about else DocType.OTHER), "text")


def _on_post(reading: Reading) -> bool:
    return reading.document.format == "markdown" and "published_on" in reading.metadata.where


_NUMBER_LINE = re.compile(
    r"\[?(?:SEC )?(?:Release|File|RIN|OMB)\b[^\n\]]*?(?:\]|(?<=[A-Z]{2}\d{2})(?=\W)|(?=\n)|$)|"
    r"\bRIN:? ?\d{4}-[A-Z]{0,2}\d{2,4}"
)


def _read_title(reading: Reading) -> None:
    if title := _title(reading):
        at = reading.text.find(title[:60])
        reading.set("title", title, "header", at, at + len(title) if at >= 0 else -1)


def _title(reading: Reading) -> str | None:
    """The subject: what stands between the numbers of the preamble and its first field; else the
    first line.
    """
    head = reading.head
    if reading.metadata.authority is Authority.OFFICIAL_STATEMENT:
        lines = [line.strip() for line in head[:2000].split("\n")]
        if stated := next((x for x in lines if STATEMENT.search(x) and 12 < len(x) < 300), None):
            return stated
    if reading.official or reading.document.format == "sec-release":
        end = min((s.start for s in reading.fields.values() if s.label != "URL"), default=len(head))
        numbers = list(_NUMBER_LINE.finditer(head[:end]))
        after = head[numbers[-1].end() : end] if numbers else ""
        for block in after.split("\n\n"):
            shown = re.sub(r"\s+", " ", block).strip(" ;.-")
            if (
                len(shown) > 5
                and not DAY.fullmatch(shown)
                and not re.match(r"I\. |Table of Contents", shown)
            ):
                return _in_title_case(re.split(r" (?:AGENCY|ACTION) ?:", shown)[0])[:400]
    for block in head.split("\n\n"):
        shown = re.sub(r"\s+", " ", block).strip()
        if len(shown) > 12 and not re.match(
            r"https?://|\[|\{|<|SECURITIES AND EXCHANGE|\d+ CFR", shown
        ):
            return (
                re.sub(r"^\d+ FR \d+ - |^[\w-]+\d\. (?=[A-Z])", "", shown)[:300]
                if len(shown) < 400
                else None
            )
    return None


def _in_title_case(title: str) -> str:
    """ "REGULATION NMS" as "Regulation NMS"; anything not all capitals as it is."""
    if not title.isupper():
        return title
    kept = {"SHO", "SEC", "ATS", "SCI", "EDGAR", "CAT", "SRO"}
    small = {"OF", "THE", "AND", "FOR", "TO", "IN", "ON", "BY", "A"}
    words = [
        word.lower()
        if word in small
        else word
        if word in kept or not re.search("[AEIOU]", word)
        else word.capitalize()
        for word in title.split(" ")
    ]
    return " ".join([words[0].capitalize() if words[0].islower() else words[0], *words[1:]])


_AGENCY_FIELD = re.compile(r"(?mi)^[^\w\n]{0,9}AGENCY ?:\s*([A-Z][^\n.]{3,120})")


def _read_agency(reading: Reading) -> None:
    if match := _AGENCY_FIELD.search(reading.head):
        shown = re.sub(r"^US |^U\.S\. ", "", match[1].strip())
        shown = re.split(r" \(| ?ACTION ?:", shown)[0].strip()
        reading.set(
            "agency",
            SEC if SEC.lower() in shown.lower() else shown,
            "AGENCY line",
            match.start(1),
            match.end(1),
        )
    at = reading.text[: max(len(reading.head), 3000)].lower().find(SEC.lower())
    if at >= 0:
        reading.set("agency", SEC, "header", at, at + len(SEC))
    if on_site(reading.metadata.url, ["sec.gov"]):
        reading.set("agency", SEC, "url")


# --- sections of the Code -----------------------------------------------------------------------

_CFR_PARTS = re.compile(r"\b17 CF ?R,? (?:PARTS?|Parts?) ((?:\d{3}(?:,? (?:and|AND) |, |,)?)+)")
_CFR_SECTION = re.compile(r"(?:\b17 CFR |§+ ?)(\d{3}\.\d[\w-]*)")
_EXCHANGE_ACT_RULE = re.compile(r"\bRules? (\d{1,2}[A-Za-z]{1,2}\d{0,2}-\d{1,2}T?)\b")
_NUMBERED_RULE = re.compile(r"\bRules? ((?:\d{3,4}T?(?:\([a-z0-9]+\))*(?:, | and |, and )?)+)")
# Rules of part 242 go by their number alone; the words tell them from the rules of other acts.
_REGULATIONS = (
    (re.compile(r"Regulation NMS|Exchange Act|national market system"), range(600, 615)),
    (re.compile(r"Regulation SHO|short sale|short selling"), range(200, 205)),
    (re.compile(r"Regulation ATS|alternative trading system"), range(300, 305)),
    (re.compile(r"Regulation SCI"), range(1000, 1008)),
    (re.compile(r"Regulation M\b"), range(100, 106)),
)


def _read_sections(reading: Reading) -> None:
    """Sections in the title and preamble and in the rule text, then the parts the preamble lists
    ("242").
    """
    if not reading.official or reading.metadata.doc_type in (DocType.FILING, DocType.STATUTE):
        return
    found: dict[str, None] = {}
    for section in rule_sections(reading.document):
        for heading in section.path:
            if match := CFR_PATH.match(heading):
                found[f"{match[1]}.{match[2]}"] = None
    subject = f"{reading.metadata.title or ''}\n{_spoken_for(reading)}"
    for match in _CFR_SECTION.finditer(subject):
        found[match[1].rstrip("-")] = None
    for match in _EXCHANGE_ACT_RULE.finditer(subject):
        found["240." + match[1]] = None
    for match in _NUMBERED_RULE.finditer(subject):
        for number in re.findall(r"(\d{3,4})(T?)", match[1]):
            known = any(
                int(number[0]) in rules and cue.search(subject) for cue, rules in _REGULATIONS
            )
            if known:
                found["242." + "".join(number)] = None
    for match in _CFR_PARTS.finditer(_before_summary(reading)):
        found |= dict.fromkeys(re.findall(r"\d{3}", match[1]))
    reading.set("cfr_sections", tuple(found), "title, preamble and rule text")


def _spoken_for(reading: Reading) -> str:
    labels = ("SUMMARY", "SUPPLEMENTARY INFORMATION", "EFFECTIVE DATE", "DATES")
    kept = [reading.fields[label] for label in labels if label in reading.fields]
    return "\n".join(reading.text[s.start : s.end] for s in kept)


# --- primary, language --------------------------------------------------------------------------


def _read_primary(reading: Reading) -> None:
    """What a secondary source is about, by the strongest identifier it names."""
    if reading.metadata.authority is not Authority.SECONDARY:
        return
    url, head = reading.metadata.url or "", reading.head
    numbers = (
        FR_IN_ADDRESS.search(url),
        re.search(rf"(?i)document[ _]number:?\s*({FR_NUMBER})", head),
        re.search(rf"federalregister\.gov/documents/\d{{4}}/\d\d/\d\d/({FR_NUMBER})", head),
    )
    for match in numbers:
        if match and (
            on_site(url, MIRRORS) or is_summary(head) or "federalregister.gov" in match[0]
        ):
            reading.set(
                "primary", f"fr:{match[1]}", "text or address", match.start(1), match.end(1)
            )
    if is_summary(head) and (own := RELEASE.search(head)):
        reading.set("primary", f"sec:{own[1]}", "text", own.start(1), own.end(1))


_WORDS_OF = {
    "en": frozenset({"the", "of", "and", "to", "that", "is", "for"}),
    "fr": frozenset({"le", "la", "les", "des", "du", "une", "dans"}),
    "de": frozenset({"der", "die", "das", "und", "von", "nicht", "eine"}),
}


_LANGUAGE_IN_NAME = re.compile(r"_(en|fr|de)(?=[/.])")


def _read_language(reading: Reading) -> None:
    if named := _LANGUAGE_IN_NAME.search(reading.name):
        reading.set("language", named[1], "name")
    words = re.findall(r"[a-zà-ÿ]+", reading.text[:20000].lower())
    counts = {
        language: sum(word in known for word in words) for language, known in _WORDS_OF.items()
    }
    best = max(counts, key=lambda language: counts[language])
    if counts[best] >= 3:
        reading.set("language", best, "text")
