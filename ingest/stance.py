"""A sentence and where it stands in; who speaks and at what stage of rulemaking out.

Rules over words, headings and the kind of document, in the order of `stance`: the sentence's own words first, the
heading next, the kind of document last. Measured against hand labels in eval/gold/stance.jsonl.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache


class Speaker(StrEnum):
    """Whose view a quoted sentence states."""

    COMMISSION = "Commission"
    COMMENTER = "commenter"
    STUDY = "study"
    EXCHANGE = "exchange"
    OTHER = "other"


class Stage(StrEnum):
    """At what stage of rulemaking the quoted sentence stands."""

    PRIOR_LAW = "prior law"
    PROPOSED = "proposed"
    REJECTED = "considered and rejected"
    ADOPTED = "adopted"
    HYPOTHETICAL = "hypothetical"
    BACKGROUND = "background"


_SAYING = (
    r"(?:stat|argu|suggest|recommend|not|assert|contend|claim|believ|oppos|object|question|request|express|advocat|"
    r"maintain|observ|urg|prefer|support|agre|disagre|add|comment|explain|indicat|point|propos|submit|opin|warn|"
    r"critici[sz]|favor|reiterat|remark|respond|comply|concede|rais|provid|cit|estimat|describ|discuss|identif|"
    r"echo|emphasi[sz]|address|offer|caution|highlight|acknowledg|seek|sought|thought|felt|said|wrote|asked?|want|"
    r"would|ar|wer|ha[sd]|have|did|do|does|also|further|generally|specifically|similarly|strongly|,)"
)
_WHO_COMMENTS = (
    r"(?:commenters?|commentators?|respondents?|comment(?:er)?\s+letters?|commenting\s+\w+)"
)
_COMMENTER_SUBJECT = re.compile(
    rf"\b{_WHO_COMMENTS}\b(?:['’]s?)?[^.;]{{0,60}}?\b{_SAYING}"
    rf"|\b(?:according to|in the (?:view|opinion) of)\s[^,.]{{0,40}}{_WHO_COMMENTS}"
    rf"|\bcomments?\s(?:received\s)?(?:stated|argued|suggested|supported|opposed|expressed|urged|recommended|raised|focused)"
    r"|\b(?:One|Another|A|The|This|These|Two|Three|Four|Five|Several|Some|Many|Most|Other|Few|Both)\s(?:of (?:the|these)\s)?"
    r"(?:other\s|additional\s|such\s|industry\s|individual\s|institutional\s)*"
    r"(?:commenters?|firms?|issuers?|associations?|trade\sgroups?|individuals?)\b[^.;]{0,40}?"
    r"\b(?:stat|argu|suggest|recommend|assert|contend|claim|believ|oppos|object|express|advocat|urg|prefer|support)(?:ed|ing)"
    r"|\bletters?\sat\s\d|\b(?-i:[A-Z][\w&]+)(?:\s(?-i:[A-Z][\w&]+))?\s(?-i:Letter)\b(?!\sof)",
    re.IGNORECASE,
)
_NAMED_SPEECH = re.compile(
    r"\b(?:argued|asserted|contended|urged|opined|recommended|advocated|objected|commented)\b"
)
# "Instinet stated that …": a name of its own as the subject of a verb of saying, in a release that answers comments.
_NAME_SPEAKS = re.compile(
    r"^(?:(?:In addition|Specifically|Further(?:more)?|Moreover|Additionally|However|For example|Similarly),?\s)?(?:[Bb]oth\s)?"
    r"(?:[Tt]he\s)?(?!We\b|It\b|They\b|This\b|These\b|The\b|In\b|Rules?\b|Section|Congress|Commission|Regulation\b|Form\b|SEC\b)"
    r"[A-Z][\w&.]*[A-Za-z](?:(?:,?\s(?:and\s)?(?:the\s)?)[A-Z][\w&.]+){0,5}\s(?:also\s|further\s|strongly\s|generally\s)?"
    r"(?:stated|argued|asserted|suggested|critici[sz]ed|noted|recommended|urged|believed?s?|supported|opposed|contended|questioned|"
    r"expressed|requested|advocated|commented|maintained|objected|claimed|estimated)\b"
)
_PRONOUN_SPEECH = re.compile(
    r"^(?:(?:In addition|Specifically|Further|Moreover|Additionally|However|For example|Instead|Similarly),?\s)?"
    r"(?:They|It|He|She|These|The (?:letters?|association|group))\b(?:\s(?:also|further|both|generally|then|each|all))*\s"
    r"(?:stat|argu|suggest|recommend|assert|contend|claim|believ|oppos|object|express|advocat|urg|prefer|support|not|"
    r"maintain|question|request|add|cit|propos|point)(?:e?d|es?|s)\b"
)
_COMMISSION_SUBJECT = re.compile(
    r"\b(?:the\s(?:Securities\sand\sExchange\s)?Commission(?:ers)?|the\sSEC|we)\b"
    r"(?:,?\s(?:also|however|therefore|thus|continues?\sto|further|now|today|hereby|again|generally|preliminarily|"
    r"previously|recently|initially|has|have|is|are|had|does|do|did|not|will|would|may|can|cannot|therefore),?)*\s"
    r"(?!staff\b|['’]s)[a-z]+",
    re.IGNORECASE,
)
_OUR_OWN = re.compile(
    r"\b(?:our|the\sCommission['’]s)\s(?:view|belief|experience|understanding|estimates?)\b", re.I
)
_SUBORDINATE = re.compile(
    r"^(?:Although|Though|While|Whereas|In (?:response|light|contrast|addition) to|After (?:considering|reviewing|careful(?:ly)?)"
    r"|Despite|Notwithstanding|Because|Since|As|Given|Having|Contrary to|Consistent with|Based on|With (?:respect|regard)|"
    r"In considering|To (?:address|respond)|Rather than|Even (?:if|though)|Where|When|If|Unlike|For (?:these|the) reasons?)\b",
    re.IGNORECASE,
)
_STUDY = re.compile(
    r"\b(?:stud(?:y|ies)|analys[ie]s|research(?:ers?)?|papers?|authors?|academics?|literature|OEA|DERA|economists?|"
    r"survey|findings|(?:the|first|pilot)\s(?:[Pp]ilot\s)?(?:results|data))\b[^.;]{0,60}?"
    r"\b(?:f(?:ou|i)nds?|show(?:s|ed|n)?|suggest(?:s|ed)?|conclud\w+|indicat\w+|report(?:s|ed)|document(?:s|ed)?|"
    r"examin(?:es?|ed)|estimat(?:es|ed)|observ(?:es?|ed)|demonstrat\w+|analyz(?:es?|ed)|argues?|provides?\sevidence|"
    r"compared?s?|reveal(?:s|ed)?|result(?:s|ed))\b"
    r"|\bet\sal\.|\bthe\sPilot\s(?:found|show)|\bOEA\b|\bAcademic\s(?:studies|research)|^Stud(?:y|ies)\b"
)
_EXCHANGE = re.compile(
    r"\b(?:[Tt]he|this|such)\s(?:Exchanges?|Participants|Operating\sCommittee|SROs?\sbelieve|"
    r"Applicants?|Plan\sParticipants)(?:['’]s?)?\b(?!\sAct|\s(?:Commission|and\sthe\sCommission))"
    r"|\b(?:NYSE|Nasdaq|FINRA|Cboe|BZX|BYX|EDGA|EDGX|IEX|MIAX|MEMX|Arca|Amex|BOX|ISE|PHLX|LTSE|24X|NASD|OCC|NSCC|DTC)"
    r"(?:\s(?:Arca|Exchange|American|PEARL|Pearl|BX|PSX|Emerald|Sapphire))?,?\s(?:also\s|further\s)?"
    r"(?:propos|believ|stat|represent|not|argu|is proposing|has proposed|intend|seeks)"
)
_OTHER = re.compile(
    r"\b(?:Congress|Senate|Senators?|Representatives?|the\sGAO|Government\sAccountability|IOSCO|the\sFSOC|the\sCourt|"
    r"Treasury|the\sCFTC|the\sFederal\sReserve|the\sDepartment\sof|legislative\shistory|the\sIndustry\sSteering\sCommittee|"
    r"Commissioners?\s[A-Z][a-z]+|the\s(?:dissent|majority))\b(?:['’]s?)?[^.;]{0,60}?"
    r"\b(?:f(?:ou|i)nds?|believ\w+|stat(?:es|ed)|conclud\w+|direct(?:s|ed)?|recommend\w*|report(?:s|ed)|not(?:es|ed)|"
    r"intend(?:s|ed)|provid(?:es|ed)|enact(?:s|ed)|adopt(?:s|ed)|pass(?:es|ed)|authori[sz]\w+|grant(?:s|ed)|amend(?:s|ed)|"
    r"held|vacat\w+|mandat\w+|said|recogni[sz]ed|require[ds]|determined|noted|instruct(?:s|ed)|disapprov\w+)\b"
)
_REJECTED = re.compile(
    r"\b(?:is|are|was|were)\s(?:therefore\s|also\s)?not\s(?:adopt|includ|requir|amend|impos|mandat|extend|modify|"
    r"provid|expand|incorporat|tak|chang|eliminat|propos|act)ing\b|\bdeclining\sto\b"
    r"|\b(?:has|have|had)\s(?:therefore\s|also\s)?(?:determined|decided|chosen|elected)\snot\sto\b"
    r"|\b(?:determined|decided|chose|elected)\snot\sto\b|\bdeclin(?:e|es|ed|ing)\sto\b|\bdid\snot\sadopt\b"
    r"|\bconsidered\b[^.;]{0,120}\b(?:but|rejected|not\s(?:adopt|pursue)|instead)\b|\brejected\s(?:the|this|an|these|that)\b"
    r"|\brather\sthan\sadopt|\bnot\sbeing\sadopted\b|\b(?:was|were)\snot\sadopted\b"
)
_ADOPTED = re.compile(
    r"\b(?:is|are|am)\s(?:therefore\s|also\s|now\s|today\s|hereby\s|not\s)?(?:adopting|amending|modifying|rescinding|"
    r"repealing|revising|extending|granting|eliminating|issuing|ordering|approving|removing|adding|establishing)\b"
    r"|\b(?:as\sadopted|as\samended|final\s[Rr]ules?|adopted\s(?:[Rr]ules?|definition|amendments?|requirements?|form|version)"
    r"|the\s(?:adopted|final)\s\w+|adopting\s(?:the|Rule|Rules|amendments|this|these|a|an)|we\sadopt\b|hereby\s(?:adopts?|orders?|grants?|amends?)"
    r"|will\sbe\s(?:required|permitted|prohibited|effective|exempt)|have\sbeen\sadopted|is\sgranted|(?:has|have)\sadopted"
    r"|has\s(?:revised|modified|determined\sto\s(?:adopt|include|revise|modify|extend|grant))"
    r"|(?:have|has)\s(?:decided|determined)\sto\b|IT\sIS\s(?:HEREBY\s|THEREFORE\s)?ORDERED|becomes?\seffective)\b"
)
_AS_PROPOSED_NOW = re.compile(
    r"\b(?:is|are)\s(?:therefore\s|also\s)?(?:adopting|amending|modifying|revising|eliminating)\b|\b(?:final|adopted)\s[Rr]ule\b"
    r"|\bas\sadopted\b|\b(?:has|have)\s(?:revised|modified|adopted|determined|decided)\b|\badopted\s.{0,60}\bas\sproposed\b"
    r"|\bwe\sadopt\b|\bsubstantially\sas\sproposed\b|\badopting\b"
)
_PROPOSED = re.compile(
    r"\b(?:as\s(?:re)?proposed|(?:[Rr]e)?[Pp]ropos(?:ed|ing|als?|es?)|[Rr]eproposal|would\shave\s(?:been\s)?\w+ed|NPRM|"
    r"Concept\sRelease)\b"
)
_PROPOSED_WOULD = re.compile(
    r"\b(?:[Rr]e)?[Pp]ropos(?:ed|als?)\b.{0,160}\bwould\b|\bwould\shave\s(?:been\s)?(?:\w+ed)\b|\bas\s(?:re)?proposed,"
    r"|\bProposing\sRelease\b|\bReproposing\sRelease\b|\b(?:was|were)\s(?:originally\s|initially\s)?proposed\b"
    r"|\b(?:Commission|we|SEC)\s(?:had\s|also\s|originally\s|initially\s|has\s|is\s|today\s)*propos(?:ed|es?|ing)\b"
    r"|\b(?:Reproposal|[Rr]eproposed)\b|\bthe\s[Pp]roposal\s|\bproposes?\sto\b|\bproposing\s(?:to|a|an|amendments|new)\b",
)
_LAW = (
    r"(?:[Rr]ules?|[Rr]egulations?|provisions?|exceptions?|definitions?|[Ff]ee\scap|obligations?|exemptions?|price\stests?|"
    r"limit(?:ation)?s?|standards?|settlement\scycle|requirements?|disclosure\srequirements?|framework|increments?)"
)
_REQUIRES = r"(?:requir|prohibit|permit|allow|provid|oblig|exempt|except|appl|limit|exclud|establish|impos|mandat|cover)"
# The law as it stood: its name as the subject ("The existing exception …", "Under the current rule, …") or an adverb on
# what it does ("Rule 606 currently requires …"). Named in passing, as what the new rule parallels, it does not count.
_PRIOR = re.compile(
    r"\b(?:[Pp]rior\sto|[Bb]efore)\s(?:the\s|these\s|this\s|today['’]s\s|its\s)?(?:amendments?|adoption|rescission)"
    r"|^(?:[A-Z][a-z]+(?:\s[a-z]+){0,3},\s)?(?:[Tt]he\s|[Uu]nder\s(?:the\s)?|[Uu]nlike\s(?:the\s)?)?"
    rf"(?:[Cc]urrent|[Ee]xisting|[Ff]ormer|[Pp]resent)\s(?:[\w()-]+\s){{0,3}}?{_LAW}\b"
    rf"|\b(?:[Rr]ules?|Regulation\s[A-Z]{{2,4}}|[Ss]ections?|Act|[Ee]xceptions?|[Dd]efinitions?|SROs?)\s(?:[\w()\-.]+\s){{0,3}}?"
    rf"(?:currently|presently)\s(?:does\snot\s|do\snot\s)?{_REQUIRES}"
    rf"|^[Cc]urrently,?\s.{{0,80}}\b(?:{_REQUIRES}|must|may\snot)"
    rf"|\b(?:[Rr]ules?|Regulation)\s[\w()\-.]*\s?(?:had|previously|formerly)\s{_REQUIRES}"
    r"|\b[Uu]nder\s(?:the\s)?(?:current|existing|former|present)\s(?:[Rr]ule|regulat|law|requirement|standard|framework)"
    r"|\b(?:is|are)\s(?:not\s)?(?:currently|presently)\s(?:not\s)?(?:subject|required|permitted|prohibited|excepted|exempt)"
)
_STILL_TO_COME = re.compile(
    r"\bwill\b|\bamendments?\s(?:are|is|to|would)\b|\bas\s(?:amended|adopted)\b|\badopt(?:ed|ing)\stoday\b"
)
_HYPOTHETICAL = re.compile(
    r"\bif\s(?:the\sCommission|we)\s(?:were\sto|did\snot|had|adopted|does\snot)\b|\b[Ss]uppose\b|\b[Aa]ssum(?:e|ing)\sthat\b"
    r"|\bhypothetical(?:ly)?\b|\bwere\sto\b|\b[Aa]lternatively,?\s(?:the\sCommission|we)\scould\b|\bcould\s(?:have\s)?[a-z]+"
    r"|^(?:For\sexample,\s)?[Ii]f\b.{0,200}\b(?:would|could|might)\b|\bmight\s(?:be|have|not)\b"
)
_UNCERTAIN = ("if ", "If ", "could", "might", "were to", "uppose", "ssum", "hypothet")
_ALTERNATIVE = re.compile(
    r"\balternatives?\b(?!\s(?:trading|uptick|net))|\b(?:could|would|such\san\s(?:approach|option)|considered\s(?:whether|alternatives))\b",
    re.IGNORECASE,
)
# Housekeeping: where to send comments, what is asked, what else to read. It states nothing of the rule.
_HOUSEKEEPING = re.compile(
    r"\?[”\"’)]*$|^(?:See|Cf|Id|But see)\b|\b(?:paper|electronic)\scomments\b|\bcomments\s(?:should|may|must)\sbe\b"
    r"|\binvites?\b.{0,60}\b(?:views|comments?)\b|\b(?:seek|solicit|request|invit)(?:s|ing|ed)?\s(?:public\s)?comments?\b|\b[Pp]lease\b"
)
_RULEISH = re.compile(
    r"\b(?:[Rr]ules?\s\d|the\s(?:new\s)?[Rr]ule|amend(?:ed|ments?)|requirements?|must|shall|will|required|prohibits?|requires?|"
    r"exceptions?|exempt\w*|effective|compliance|this\s[Rr]elease|permits?|[Pp]ilot|applies|provides?\sthat|defin(?:es|ed|ition)|"
    r"Order|paragraph|adopt\w*)\b"
)
_H_COMMENTS = re.compile(r"(?<!response to )\b(?:comments?|commenters?|views)\b", re.IGNORECASE)
_H_ALTERNATIVES = re.compile(
    r"\balternatives\b|\balternative (?:approach|to|for|option)|\breasonable alternative|\bminimize (?:the )?effects?\b",
    re.IGNORECASE,
)
_H_PROPOSED = re.compile(r"\b(?:re)?propos(?:al|ed|als)\b", re.IGNORECASE)
_H_BACKGROUND = re.compile(
    r"\b(?:background|baseline|introduction|overview of (?:the )?market|current (?:market|state)|history)\b",
    re.I,
)
_H_PRIOR = re.compile(
    r"\b(?:current|existing|former|prior)\s(?:rule|regulat|require|law|framework|practice)",
    re.IGNORECASE,
)
_H_FINAL = re.compile(r"\b(?:final|adopt(?:ed|ion|ing)|as adopted|rule as)\b", re.IGNORECASE)
_H_DISSENT = re.compile(r"(?<!response to )(?<!response to the )\bdissent", re.IGNORECASE)
_H_SRO = re.compile(
    r"self-regulatory organization['’]?s?['’]?\s|\bexchange['’]s statement|terms of substance",
    re.IGNORECASE,
)

_EXCHANGE_ACTS = re.compile(
    r"\b[Tt]he\s(?:Exchange|Participants|Operating|Applicants?)|\bpropos(?:es|ed|ing)\b"
)
_ANSWERS_COMMENTS = {"final rule", "proposed rule", "interpretation"}
_CODIFIED = {"regulation", "statute"}
_NOT_THE_COMMISSION = {"filing", "statement", "news", "guide", "other", "agenda"}


def stance(
    sentence: str,
    *,
    path: Sequence[str],
    doc_type: str,
    kind: str,
    before: str = "",
    title: str = "",
) -> tuple[Speaker, Stage]:
    """Who speaks and at what stage.

    path      headings above the sentence, outermost first
    doc_type  a DocType value ("final rule", "proposed rule", ...); kind: a section Kind value ("body", "rule text", ...)
    before    the text just before the sentence in the same section; tells who "They" are
    title     of the document; what summarises a proposal seldom says so in each sentence
    """
    speaker, stage = _stance(sentence, " › ".join(path), doc_type, kind, before[-400:])
    if stage is Stage.BACKGROUND and doc_type in _SUMMARIES and _announces_proposal(title):
        return speaker, Stage.PROPOSED
    return speaker, stage


_SUMMARIES = frozenset({"other", "news", "press release"})
_PROPOSES = re.compile(r"\bpropos(?:e[sd]?|als?|ing)\b", re.IGNORECASE)
_DECIDES = re.compile(r"\b(?:adopt|approv|final|withdr[ae]w)\w*", re.IGNORECASE)


def _announces_proposal(title: str) -> bool:
    return bool(_PROPOSES.search(title)) and not _DECIDES.search(title)


@lru_cache(maxsize=4096)
def _stance(
    sentence: str, path: str, doc_type: str, kind: str, before: str
) -> tuple[Speaker, Stage]:
    speaker = _speaker(sentence, path, doc_type, kind, before)
    return speaker, _stage(sentence, path, doc_type, kind, speaker)


# --- who ---------------------------------------------------------------------------------------------------------


def _speaker(sentence: str, path: str, doc_type: str, kind: str, before: str) -> Speaker:
    if kind == "rule text" or doc_type in _CODIFIED:
        foreign = doc_type == "statute" or _european(path, sentence)
        return Speaker.OTHER if foreign else Speaker.COMMISSION
    if doc_type in _NOT_THE_COMMISSION or "dissent" in _heading(path):
        return Speaker.OTHER
    main = _main_clause(sentence)
    said = _first_subject(main)
    if (
        said is Speaker.EXCHANGE
        and doc_type in _ANSWERS_COMMENTS
        and not _EXCHANGE_ACTS.search(main)
    ):
        return Speaker.COMMENTER  # "Amex noted that …", in a release that answers comments
    if said is not None:
        return said
    if _NAME_SPEAKS.match(main):
        return Speaker.EXCHANGE if doc_type == "notice" else Speaker.COMMENTER
    if _PRONOUN_SPEECH.match(sentence):
        told = _last_told(before)
        if told is not None:
            return told
    if "comments" in _heading(path) and _NAMED_SPEECH.search(main):
        return Speaker.COMMENTER
    return Speaker.EXCHANGE if "sro" in _heading(path) else Speaker.COMMISSION


@lru_cache(maxsize=4096)
def _heading(path: str) -> frozenset[str]:
    """What the headings say; those marked "last" only from the innermost one."""
    innermost = path.rpartition(" › ")[2]
    return frozenset(
        name
        for name, pattern, where in (
            ("comments", _H_COMMENTS, innermost),
            ("dissent", _H_DISSENT, path),
            ("sro", _H_SRO, path),
            ("alternatives", _H_ALTERNATIVES, path),
            ("final", _H_FINAL, innermost),
            ("proposed", _H_PROPOSED, innermost),
            ("prior", _H_PRIOR, innermost),
            ("background", _H_BACKGROUND, innermost),
        )
        if pattern.search(where)
    )


def _main_clause(sentence: str) -> str:
    """What follows a leading "Although …," or "In response to …,"; the whole sentence when nothing leads."""
    if not _SUBORDINATE.match(sentence):
        return sentence
    comma = sentence.find(", ")
    return sentence[comma + 2 :] if 0 < comma < len(sentence) - 20 else sentence


# With each pattern, stems of which one must occur: to look for those first saves most of the time.
_SUBJECTS: tuple[tuple[Speaker, tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (who, tuple(stems.split()), pattern)
    for who, stems, pattern in (
        (Speaker.COMMISSION, "commission we sec", _COMMISSION_SUBJECT),
        (
            Speaker.COMMENTER,
            "comment respondent letter firm issuer associat group individual",
            _COMMENTER_SUBJECT,
        ),
        (
            Speaker.STUDY,
            "stud analys research paper author academic literature oea dera economist survey finding"
            " result data al. pilot",
            _STUDY,
        ),
        (
            Speaker.EXCHANGE,
            "exchange participant committee sro applicant nasd nyse finra cboe bzx byx edg iex miax memx arca"
            " amex box ise phlx ltse 24x occ nscc dtc",
            _EXCHANGE,
        ),
        (
            Speaker.OTHER,
            "congress senat represent gao government iosco fsoc court treasury cftc federal department"
            " legislat industry commissioner dissent majority",
            _OTHER,
        ),
    )
)


def _first_subject(clause: str) -> Speaker | None:
    """Whoever is named first as the subject of a verb of saying."""
    lower = clause.lower()
    found = [
        (m.start(), n, who)
        for n, (who, stems, pattern) in enumerate(_SUBJECTS)
        if any(stem in lower for stem in stems) and (m := pattern.search(clause))
    ]
    if not found:
        return None
    at, _, who = min(found)
    if who is Speaker.COMMISSION or at < 60:
        return who
    own = _OUR_OWN.search(clause)
    return Speaker.COMMISSION if own and own.start() < at else who


def _last_told(before: str) -> Speaker | None:
    """Who spoke in the sentence before, when it says so."""
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z“\"])", before.strip())
    return _first_subject(_main_clause(sentences[-1])) if sentences and sentences[-1] else None


def _european(path: str, sentence: str) -> bool:
    return bool(
        re.search(
            r"\b(?:Article|Member States?|Union|ESMA|\(EU\)|Directive)\b", f"{path} {sentence}"
        )
    )


# --- at what stage -----------------------------------------------------------------------------------------------


def _stage(sentence: str, path: str, doc_type: str, kind: str, speaker: Speaker) -> Stage:
    if kind == "rule text" or doc_type in _CODIFIED:
        return Stage.PROPOSED if doc_type == "proposed rule" else Stage.ADOPTED
    if doc_type in _NOT_THE_COMMISSION:
        return (
            Stage.PROPOSED
            if doc_type != "filing" and _PROPOSED.search(sentence)
            else Stage.BACKGROUND
        )
    if "dissent" in _heading(path):
        return Stage.REJECTED
    if speaker is Speaker.COMMISSION:
        return _commission_stage(sentence, _heading(path), doc_type)
    return (
        _exchange_stage(sentence)
        if speaker is Speaker.EXCHANGE
        else _others_stage(sentence, speaker)
    )


def _others_stage(sentence: str, speaker: Speaker) -> Stage:
    if _PRIOR.search(sentence):
        return Stage.PRIOR_LAW
    told = _PROPOSED.search(sentence) and speaker is not Speaker.STUDY
    return Stage.PROPOSED if told else Stage.BACKGROUND


_EXCHANGE_PLANS = re.compile(r"\b[Pp]ropos|\bwould\b|\bwill\b")


def _exchange_stage(sentence: str) -> Stage:
    if _PRIOR.search(sentence) and not re.search(r"\bpropos(?:es|ing)\b", sentence):
        return Stage.PRIOR_LAW
    return Stage.PROPOSED if _EXCHANGE_PLANS.search(sentence) else Stage.BACKGROUND


def _commission_stage(sentence: str, heading: frozenset[str], doc_type: str) -> Stage:
    proposed_document = doc_type == "proposed rule"
    if not proposed_document and _REJECTED.search(sentence):
        return Stage.REJECTED
    alternative = "alternatives" in heading and _ALTERNATIVE.search(sentence)
    if alternative and not _ADOPTED.search(sentence):
        return Stage.HYPOTHETICAL if proposed_document else Stage.REJECTED
    if not proposed_document and _AS_PROPOSED_NOW.search(sentence):
        return Stage.ADOPTED
    if _PROPOSED_WOULD.search(sentence):
        return Stage.PROPOSED
    if _HOUSEKEEPING.search(sentence):
        return Stage.BACKGROUND
    if _PRIOR.search(sentence) and not _STILL_TO_COME.search(sentence):
        return Stage.PRIOR_LAW
    if any(stem in sentence for stem in _UNCERTAIN) and _HYPOTHETICAL.search(sentence):
        return Stage.HYPOTHETICAL
    if proposed_document:
        return Stage.BACKGROUND if "background" in heading else Stage.PROPOSED
    if _ADOPTED.search(sentence):
        return Stage.ADOPTED
    return _by_heading(sentence, heading, doc_type)


def _by_heading(sentence: str, heading: frozenset[str], doc_type: str) -> Stage:
    if "final" in heading:
        return Stage.ADOPTED
    if "proposed" in heading:
        would = re.search(r"\bwould\b", sentence) and not re.search(r"\badopted\b", sentence)
        return Stage.PROPOSED if would else Stage.BACKGROUND
    if "prior" in heading:
        return Stage.PRIOR_LAW
    if "background" in heading:
        return Stage.BACKGROUND
    settled = doc_type in {"final rule", "order", "interpretation", "press release", "faq"}
    return Stage.ADOPTED if settled and _RULEISH.search(sentence) else Stage.BACKGROUND


# --- the words before a quote ------------------------------------------------------------------------------------

_LEADS: dict[Stage, str] = {
    Stage.PRIOR_LAW: "Under the rule as it stood before:",
    Stage.PROPOSED: "As proposed:",
    Stage.REJECTED: "Considered and not adopted:",
    Stage.HYPOTHETICAL: "As a hypothetical:",
}
_WHOSE: dict[Speaker, str] = {
    Speaker.COMMENTER: "A commenter's view:",
    Speaker.STUDY: "A study's finding:",
    Speaker.EXCHANGE: "The exchange's statement:",
}
_SAYS_STAGE: dict[Stage, re.Pattern[str]] = {
    Stage.PRIOR_LAW: re.compile(
        r"\b(?:formerly|previously|then-current|former\s\w+\s?rule"
        r"|(?:prior to|before) (?:the |these |this )?(?:amendment|adoption|rulemaking))",
        re.IGNORECASE,
    ),
    Stage.PROPOSED: re.compile(
        r"\b(?:re)?propos(?:ed|es|al|als|ing)\b|\bwould have\b", re.IGNORECASE
    ),
    Stage.REJECTED: _REJECTED,
    Stage.HYPOTHETICAL: re.compile(
        r"\b(?:if|could|might|were to|suppose|assum\w+|hypothetical\w*)\b", re.IGNORECASE
    ),
}
_SAYS_WHO: dict[Speaker, re.Pattern[str]] = {
    Speaker.COMMENTER: re.compile(rf"\b{_WHO_COMMENTS}\b", re.IGNORECASE),
    Speaker.STUDY: _STUDY,
    Speaker.EXCHANGE: _EXCHANGE,
}


def lead_in(speaker: Speaker, stage: Stage, sentence: str = "") -> str:
    """The words put before a quote whose label matters; "" when the quote says it itself or there is nothing to say."""
    if speaker is Speaker.OTHER and stage is Stage.REJECTED:
        return "A dissenting view:"
    whose = _WHOSE.get(speaker, "")
    if whose:
        return "" if _SAYS_WHO[speaker].search(sentence) else whose
    words = _LEADS.get(stage, "")
    return "" if not words or _SAYS_STAGE[stage].search(sentence) else words
