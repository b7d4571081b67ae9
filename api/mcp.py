"""Opened services in, an MCP server out: six tools that read and change nothing, each with the schema of what it gives.

What a tool is told wrongly is a tool error that says what to try, so that the model can.
"""

import functools
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, ParamSpec, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field, ValidationError

from api import rules, schemas
from api.access import Access
from api.comparing import Compared, compared
from api.completions import write
from api.feature_forms import vector_json
from api.guard import Guard
from api.impacts import Impacts, impacts_of
from api.logs import Log
from api.recheck import recheck
from api.services import Services
from api.settings import Settings
from ingest.errors import NotKnown, RegTapeError
from ingest.moment import now
from sentiment.read import Reader

P = ParamSpec("P")
R = TypeVar("R")

INSTRUCTIONS = """RegTape answers questions on market-structure rules from the documents it holds, with a checked quote under
every sentence, as of any moment, and reads sentiment features of news per symbol. Give its sentences with their marks [1] and
what is said of a rule's status; where it refuses, say that the documents do not say."""

_READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)

AsOf = Annotated[
    schemas.Moment | None,
    Field(description="What was known by then: 2025-01-15 (its end in New York), or an instant with its zone. Unset: now."),
]  # fmt: skip


class Verified(schemas.Form):
    """Whether an answer holds; each fault as a sentence."""

    holds: bool
    faults: tuple[str, ...]


def mcp_server(services: Services, reader: Reader) -> MCPServer[Any]:
    """The server, for either transport. Tools run in threads."""
    server: MCPServer[Any] = MCPServer(
        "regtape", title="RegTape", version=version("regtape"), instructions=INSTRUCTIONS, log_level="WARNING",
    )  # fmt: skip
    catalog = services.catalog

    def tool(title: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
        def add(function: Callable[P, R]) -> Callable[P, R]:
            server.add_tool(_told(function), title=title, annotations=_READS)
            return function

        return add

    @tool("Ask the documents")
    def ask(
        question: Annotated[
            str, Field(min_length=1, max_length=2000, description="It stands alone.")
        ],
        as_of: AsOf = None,
        filters: schemas.Filters = schemas.Filters(),  # noqa: B008 - frozen
    ) -> Annotated[CallToolResult, schemas.Answer]:
        """One checked answer to a question on market-structure rules or filings: sentences, each with the quotes that support it,
        and the status of the rules concerned; or a refusal, which is an answer too.
        """
        found = services.agent.ask(question, as_of=as_of, filters=filters.to_catalog())
        # Passages, steps and drafts that did not pass are for people who look into it, not for a model's window.
        answer = schemas.Answer.of(found).model_copy(
            update={"passages": (), "steps": (), "dropped": ()}
        )
        text = TextContent(type="text", text=write(answer, "regtape:", sources=True).content)
        return CallToolResult(content=[text], structured_content=answer.model_dump(mode="json"))

    @tool("State of a rule")
    def rule_state(
        section: Annotated[
            str,
            Field(
                min_length=1,
                max_length=200,
                examples=["242.612", "Rule 611", "Order Protection Rule"],
            ),
        ],
        as_of: AsOf = None,
    ) -> rules.RuleState:
        """What a rule is on a day, and what is pending: adopted, proposed, stayed, exempted, in force, each with its quotes."""
        return rules.rule_state(catalog, section, as_of or now())

    @tool("Compare two texts")
    def compare(
        a: Annotated[
            str,
            Field(
                min_length=1,
                max_length=300,
                description="A document id, a release number, or a section: 242.610, 242.610@2.",
            ),
        ],
        b: Annotated[str, Field(min_length=1, max_length=300)],
        as_of: AsOf = None,
    ) -> Compared:
        """What changed between two documents, or two versions of a section: words, and numbers before and after, with both
        quotes.
        """
        return compared(catalog, a, b, as_of=as_of, same=False)

    @tool("Effects on the market")
    def impacts(
        of: Annotated[
            str,
            Field(
                min_length=1,
                max_length=300,
                description="A document id, a release number, or a rule.",
            ),
        ],
        variable: Annotated[
            str | None, Field(max_length=80, examples=["quoted_spread", "depth"])
        ] = None,
        as_of: AsOf = None,
    ) -> Impacts:
        """What a release, or all that is held on a rule, says of effects on microstructure variables: direction, who says so, how
        surely, each with its quote."""
        return impacts_of(catalog, of, variable=variable, as_of=as_of or now())

    @tool("News features of a symbol")
    def features(
        symbol: Annotated[str, Field(min_length=1, max_length=40, examples=["AAPL", "BRK.B"])],
        names: Annotated[
            list[str] | None, Field(description="Of features; unset: the fifty of core50.")
        ] = None,
        as_of: AsOf = None,
    ) -> schemas.FeatureVector:
        """Sentiment, buzz and regulatory features of a symbol as they were or would have been served at an instant. Null, never
        0, where there is nothing; `status` says why.
        """
        wanted = tuple(names) if names else None
        vector = reader.vector(symbol, as_of=as_of, names=wanted)
        return schemas.FeatureVector.model_validate_json(vector_json(vector))

    @tool("Check an answer again")
    def verify(
        answer: Annotated[
            dict[str, Any], Field(description="The structured content that `ask` gave, unchanged.")
        ],
    ) -> Verified:
        """Whether every quote of an answer is still what its document holds, and every sentence is supported by its quotes.
        Without any model.
        """
        faults = tuple(recheck(schemas.Answer.model_validate(answer), catalog))
        return Verified(holds=not faults, faults=faults)

    return server


def guarded(server: MCPServer[Any], settings: Settings, access: Access, log: Log | None) -> Guard:
    """Its HTTP application at /mcp, with the same guard before it as before the rest."""
    elsewhere = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # the guard's work
    app = server.streamable_http_app(transport_security=elsewhere)
    return Guard(
        app, request_bytes=settings.request_bytes, hosts=settings.hosts, origins=settings.cors_origins,
        access=access, log=log,
    )  # fmt: skip


def _told(function: Callable[P, R]) -> Callable[P, R]:
    """What goes wrong, as a tool error with what to try."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except RegTapeError as exc:
            hint = getattr(exc, "hint", "") or (_NOT_HELD if isinstance(exc, NotKnown) else "")
            raise ToolError(f"{exc}; {hint}" if hint else str(exc)) from exc
        except ValidationError as exc:
            told = "; ".join(
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors()[:3]
            )
            raise ToolError(
                f"that is no answer of `ask`: {told}; pass its structured content"
            ) from exc

    return run


_NOT_HELD = "try a section such as 242.612, a rule such as Rule 611, or `ask` for what is held"
