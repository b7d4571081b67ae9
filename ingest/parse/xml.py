"""Federal Register, eCFR and other XML in, Document out; a whole issue or title in, its documents one by one out."""

import re
from collections.abc import Iterator
from io import BytesIO

from lxml import etree

from ingest.document import Authority, DocType, Document, Metadata, Where
from ingest.errors import Unreadable
from ingest.parse import root_name
from ingest.parse.assemble import Writer, clean, unmarked
from ingest.parse.ecfr import ECFR_LEVELS, ECFR_ROOTS, ECFR_UNITS, Ecfr, section_number
from ingest.parse.fedreg import FR_DOC, FR_DOCUMENTS, FederalRegister
from ingest.parse.xmlwalk import DASHES, Element, first_day, tag_of, words

MAX_BYTES = 64 * 2**20


# --- reading safely


def _parser(*, recover: bool = False) -> etree.XMLParser:
    """Entities stay what they are, nothing is fetched, and libxml2's own limits on depth and size stay on."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )


def _root(data: bytes) -> tuple[Element, list[str]]:
    """The root element and warnings. Raises Unreadable: "empty", "too-large", "too-deep", "truncated", "damaged"."""
    if not data.strip(b" \t\r\n\0\xef\xbb\xbf"):
        raise Unreadable("empty", "the file is empty", "fetch it again")
    if len(data) > MAX_BYTES:
        raise _too_large(data)
    warnings: list[str] = []
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        _refuse_hostile(data, str(error))
        warnings.append(f"broken XML, read as far as possible: {error.msg}")
        root = _recovered(data, error.msg or "")
    except ValueError as error:
        raise Unreadable("damaged", f"the XML cannot be read: {error}", "fetch it again") from error
    _refuse_entities(root)
    return root, warnings


def _recovered(data: bytes, message: str) -> Element:
    """What there is before, between and after the breaks."""
    try:
        root = etree.fromstring(data, _parser(recover=True))
    except etree.XMLSyntaxError:
        raise Unreadable(
            "damaged", f"the XML cannot be read: {message}", "fetch it again"
        ) from None
    if root is None or not words(root).strip():
        raise Unreadable(
            "truncated", f"the XML breaks off before any text: {message}", "fetch it again"
        )
    return root


def _too_large(data: bytes) -> Unreadable:
    return Unreadable(
        "too-large",
        f"{len(data) / 2**20:,.0f} MB of XML; the limit is {MAX_BYTES // 2**20} MB",
        "split it, one document per file",
    )


def _refuse_hostile(data: bytes, message: str) -> None:
    """Errors that mean the file is not merely broken."""
    words = message.lower()
    if "depth" in words:
        raise Unreadable(
            "too-deep",
            "elements are nested more than 256 deep",
            "no publisher nests so; check the source",
        )
    if "huge" in words or "too long" in words:
        raise Unreadable(
            "too-large",
            f"one piece of the XML is too long: {message}",
            "check the source of the file",
        )
    if "entity" in words and b"<!ENTITY" in data[: 1 << 20]:
        raise _entities()


def _refuse_entities(root: Element) -> None:
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(dtd.entities()):  # type: ignore[attr-defined]
        raise _entities()


def _entities() -> Unreadable:
    return Unreadable(
        "damaged",
        "the XML declares entities of its own, which are never expanded or fetched",
        "save it with its entities resolved and without a DOCTYPE, if you trust the source",
    )


# --- one document


def parse(data: bytes, name: str) -> Document:
    """One Federal Register document, one or more eCFR sections, or any other XML as "Name: value" lines.

    Raises Unreadable, also for a whole issue: that is what `split` is for.
    """
    root, warnings = _root(data)
    tag = tag_of(root)
    if tag == "FEDREG":
        raise Unreadable(
            "unknown-format",
            f"{name} is a whole issue of the Federal Register, not one document",
            "ingest it as a file of its own, or read its documents with ingest.parse.parts",
        )
    if cut := root.get("CUT"):
        warnings.append(f"cut off in the issue: {cut}")
    document: Document
    if tag in FR_DOCUMENTS or tag == "PRESDOC":
        document = FederalRegister(root).document(warnings)
    elif tag in ECFR_ROOTS or tag in ECFR_UNITS or tag in ECFR_LEVELS:
        document = Ecfr(root).document(warnings)
    else:
        document = _plain(root, warnings)
    if not document.text:
        raise Unreadable(
            "no-text", f"{name} holds elements but no text", "check that the right file was fetched"
        )
    return document


# --- other XML


def _plain(root: Element, warnings: list[str]) -> Document:
    """Every element with text as a line "Name: value", in order; what a container holds stays together."""
    writer = Writer()
    _lines(root, writer)
    metadata = Metadata()
    info = (
        root
        if tag_of(root) == "RIN_INFO"
        else next((e for e in root.iter() if tag_of(e) == "RIN_INFO"), None)
    )
    if info is not None:
        metadata.doc_type, metadata.authority = DocType.AGENDA, Authority.OFFICIAL_TEXT
        metadata.title = (info.findtext("RULE_TITLE") or "").strip() or None
        metadata.agency = (info.findtext("AGENCY/NAME") or "").strip() or None
        metadata.rin = tuple(
            rin for element in info.findall("RIN") if (rin := (element.text or "").strip())
        )
        metadata.where |= {
            field: Where("<RIN_INFO>")
            for field in ("doc_type", "title", "agency", "rin", "authority")
        }
    return writer.finish("xml", metadata, warnings)


def _lines(root: Element, writer: Writer) -> None:
    for element in root.iter():
        tag = tag_of(element)
        if not tag:
            continue
        value = _value(element.text or "")
        if value:
            path = tuple(_spoken(up) for up in reversed(list(element.iterancestors())))[1:3]
            writer.add(f"{_spoken(element)}: {value}", path=path)
        if (element.tail or "").strip():
            writer.add(clean(unmarked(element.tail or "")))


def _value(text: str) -> str:
    """Text of an element; a whole HTML page inside it (CDATA) is read as one."""
    if "</" in text and re.search(r"<(?:html|body|p|div)\b", text, re.IGNORECASE):
        from ingest.parse.htmlblocks import read

        text = " ".join(block.text for block in read(text.encode("utf-8")).blocks)
    return clean(unmarked(text))


def _spoken(element: Element) -> str:
    """ "RULE_TITLE" or "ruleTitle" as "Rule title"."""
    name = (
        re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tag_of(element))
        .replace("_", " ")
        .replace("-", " ")
        .strip()
    )
    first, *others = name.split() or [""]
    return " ".join(
        [first.capitalize(), *(w if w.isupper() and len(w) < 4 else w.lower() for w in others)]
    )


# --- whole issues and titles


def split(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, XML) of each document in a Federal Register issue, or each section in an eCFR title; streamed.

    Each carries from its surroundings what it needs to stand alone: the issue's day, volume and page; the Code's title,
    part and date. Raises Unreadable like `parse`.
    """
    if len(data) > MAX_BYTES:
        raise _too_large(data)
    reader = _issue if root_name(data) == "FEDREG" else _code
    try:
        yield from reader(data)
    except etree.XMLSyntaxError as error:
        _refuse_hostile(data, str(error))
        raise Unreadable(
            "damaged", f"the XML cannot be read: {error.msg}", "fetch it again"
        ) from error


def _events(data: bytes, tags: tuple[str, ...]) -> "etree.iterparse[tuple[str, Element]]":
    return etree.iterparse(
        BytesIO(data),
        events=("start", "end"),
        tag=tags,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=True,
    )


def _issue(data: bytes) -> Iterator[tuple[str, bytes]]:
    day = volume = page = None
    first_page: str | None = None
    inside: Element | None = None
    seen: dict[str, int] = {}
    events = _events(data, (*FR_DOCUMENTS, "PRTPAGE", "VOL", "DATE"))
    for event, element in events:
        tag = tag_of(element)
        if event == "start":
            if tag == "PRTPAGE":
                page = element.get("P") or page
            elif tag in FR_DOCUMENTS and inside is None:
                inside, first_page = element, page
            continue
        parent = element.getparent()
        if inside is None and parent is not None and parent.getparent() is None:
            if tag == "VOL":
                volume = (element.text or "").strip() or volume
            elif tag == "DATE":
                day = first_day(element.text or "") or day
        if inside is not None and element is inside:
            _refuse_entities(element)
            for key, value in (
                ("ISSUE", day.isoformat() if day else None),
                ("VOL", volume),
                ("PAGE", first_page),
            ):
                if value:
                    element.set(key, value)
            if events.error_log:
                element.set("CUT", events.error_log[-1].message)
            yield _unique(_document_number(element), seen), _serialised(element)
            _forget(element)
            inside = None
    _refuse_broken(data, events.error_log)


def _document_number(element: Element) -> str | None:
    written = " ".join(clean(words(e)) for e in element.iter("FRDOC"))
    found = FR_DOC.search(written.translate(DASHES))
    return found.group(1) if found else None


def _unique(name: str | None, seen: dict[str, int]) -> str:
    """A name for the part; one without a number, or a second of the same, is counted."""
    key = name or "part"
    seen[key] = seen.get(key, 0) + 1
    return key if name and seen[key] == 1 else f"{key}-{seen[key]}"


def _code(data: bytes) -> Iterator[tuple[str, bytes]]:
    title: str | None = None
    amended: str | None = None
    heads: list[tuple[str, str]] = []
    seen: dict[str, int] = {}
    events = _events(data, (*ECFR_LEVELS, *ECFR_UNITS, "HEAD", "AMDDATE", "VOLUME", "IDNO"))
    for event, element in events:
        tag = tag_of(element)
        if event == "start":
            if tag in ECFR_LEVELS:
                heads = [head for head in heads if head[0] < tag]
            if tag == "DIV1":
                title = (element.get("NODE") or "").partition(":")[0] or element.get("N")
            elif tag == "VOLUME":
                amended = element.get("AMDDATE") or amended
            continue
        parent = element.getparent()
        if tag == "AMDDATE":
            amended = clean(element.text or "") or amended
        elif tag == "HEAD" and parent is not None and tag_of(parent) in ECFR_LEVELS:
            heads.append((tag_of(parent), clean(words(element))))
        elif tag in ECFR_UNITS:
            _refuse_entities(element)
            if _says_something(element):
                number = section_number(element) or clean(element.get("N") or "") or None
                yield (
                    _unique(number, seen),
                    _standing_alone(element, title, amended, [text for _, text in heads]),
                )
            _forget(element)
    _refuse_broken(data, events.error_log)


def _says_something(unit: Element) -> bool:
    """More than a heading: a reserved number has no text to find."""
    return any(words(child).strip() for child in unit if tag_of(child) not in ("", "HEAD"))


def _standing_alone(
    unit: Element, title: str | None, amended: str | None, heads: list[str]
) -> bytes:
    wrapper = etree.Element("ECFR")
    wrapper.set("TITLE", title or "")
    if amended:
        wrapper.set("AMDDATE", amended)
    for text in heads:
        etree.SubElement(wrapper, "HEAD").text = text
    wrapper.append(etree.fromstring(_serialised(unit), _parser()))
    return _serialised(wrapper)


def _serialised(element: Element) -> bytes:
    data: bytes = etree.tostring(element, encoding="utf-8", xml_declaration=True, with_tail=False)
    return data


def _forget(element: Element) -> None:
    """Free what was handed over, and everything before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _refuse_broken(data: bytes, log: "etree._ListErrorLog") -> None:
    """`recover` ends quietly at a limit; say so."""
    for entry in log:
        _refuse_hostile(data, entry.message)
