"""The MCP server, asked with the real client of the protocol: over stdin and stdout, over HTTP, in its two newest versions."""

import asyncio
import json
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

pytest.importorskip("mcp")

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from api.access import Access
from api.guard import Guard
from api.keys import KeyStore, Scope
from api.mcp import guarded, mcp_server
from api.services import open_reader, open_services, open_tape
from api.settings import Settings
from tests.conftest import Regtape

# The one with a handshake, and the one without.
VERSIONS = {"legacy": "2025-11-25", "auto": "2026-07-28"}
TOOLS = {"ask", "rule_state", "compare", "impacts", "features", "verify"}
QUESTION = "What minimum pricing increment did the Commission adopt in 2024?"


def settings_of(home: Path) -> Settings:
    return Settings(home=home, embedder="hashing")


@pytest.fixture(name="server", scope="module")
def _server(sample_home: Path) -> Iterator[Any]:
    settings = settings_of(sample_home)
    with open_services(settings) as services, open_tape(settings) as tape:
        yield mcp_server(services, open_reader(settings, tape))


def asked(server: Any, ask: Callable[[Client], Awaitable[Any]], mode: str = "auto") -> Any:
    async def run() -> Any:
        async with Client(server, mode=mode) as client:
            return await ask(client)

    return asyncio.run(run())


def called(server: Any, tool: str, **arguments: object) -> Any:
    return asked(server, lambda client: client.call_tool(tool, arguments))


def test_the_tools_only_read_and_say_what_they_give(server: Any) -> None:
    listed = asked(server, lambda client: client.list_tools())

    assert {tool.name for tool in listed.tools} == TOOLS
    for tool in listed.tools:
        assert tool.annotations.read_only_hint is True
        assert tool.annotations.destructive_hint is False
        assert tool.description
        assert tool.title
        assert tool.output_schema["type"] == "object"


def test_an_answer_is_text_with_marks_and_structured_content_that_verifies(server: Any) -> None:
    answer = called(server, "ask", question=QUESTION, as_of="2025-06-30")
    verified = called(server, "verify", answer=answer.structured_content)
    forged = json.loads(json.dumps(answer.structured_content))
    forged["citations"][0]["quote"] += " Not."
    refuted = called(server, "verify", answer=forged)

    assert not answer.is_error
    assert "$0.005" in answer.content[0].text
    assert "[1]" in answer.content[0].text
    assert answer.structured_content["citations"][0]["quote"]
    assert answer.structured_content["passages"] == []
    assert verified.structured_content == {"holds": True, "faults": []}
    assert refuted.structured_content["holds"] is False
    assert refuted.structured_content["faults"][0].startswith("[1]")


def test_a_refusal_is_an_answer(server: Any) -> None:
    answer = called(server, "ask", question="Who won the chess championship of Freedonia?")

    assert not answer.is_error
    assert answer.structured_content["refusal"]["reason"] == "not_found"


def test_rules_effects_comparisons_and_features_are_read(server: Any) -> None:
    state = called(server, "rule_state", section="Rule 612", as_of="2025-06-30")
    effects = called(server, "impacts", of="242.612")
    changes = called(server, "compare", a="34-96494", b="34-101070")
    vector = called(server, "features", symbol="WMT", names=["volume_1d"], as_of="2026-02-24")

    assert state.structured_content["section"] == "242.612"
    assert effects.structured_content["variables"]
    assert changes.structured_content["parameters"]
    assert vector.structured_content["values"].keys() == {"volume_1d"}
    assert vector.structured_content["receipt"]["offset"] == 0


@pytest.mark.parametrize(
    ("tool", "arguments", "hint"),
    [
        ("rule_state", {"section": "Rule of thumb"}, "write 242.612"),
        ("compare", {"a": "242.612", "b": "242.612"}, "are the same document"),
        ("impacts", {"of": "34-1"}, "try a section"),
        ("features", {"symbol": "WMT", "names": ["happiness"]}, "happiness"),
        ("ask", {"question": ""}, "at least 1 character"),
        ("ask", {"question": "x", "as_of": "yesterday"}, "is not a time"),
        ("verify", {"answer": {"sentences": 1}}, "structured content"),
    ],
)
def test_what_goes_wrong_is_a_tool_error_with_a_hint(
    server: Any, tool: str, arguments: dict[str, Any], hint: str
) -> None:
    result = called(server, tool, **arguments)

    assert result.is_error
    assert hint in result.content[0].text


# ---- stdin and stdout


@pytest.mark.slow
@pytest.mark.parametrize("mode", VERSIONS)
def test_over_stdin_and_stdout_in_both_versions(
    sample_home: Path, mode: str, regtape: Regtape
) -> None:
    """The installed command; what it says besides goes to stderr."""

    command = shutil.which("regtape", path=str(Path(sys.executable).parent)) or ""
    home = {"REGTAPE_HOME": str(sample_home), "REGTAPE_EMBEDDER": "hashing"}
    parameters = StdioServerParameters(command=command, args=["mcp"], env={**os.environ, **home})

    async def run() -> tuple[str, Any]:
        async with Client(stdio_client(parameters), mode=mode) as client:
            return client.protocol_version, await client.call_tool("ask", {"question": QUESTION})

    version, answer = asyncio.run(run())

    assert version == VERSIONS[mode]
    assert "$0.005" in answer.content[0].text


# ---- HTTP


@contextmanager
def over_http(app: Guard) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(
        app, port=port, log_level="warning", timeout_graceful_shutdown=1, ws="none"
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive(), "the server ended"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        running.should_exit = True
        thread.join()


@asynccontextmanager
async def with_key(address: str, key: str, mode: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(address, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", VERSIONS)
def test_over_http_in_both_versions(server: Any, tmp_path: Path, mode: str) -> None:
    app = guarded(server, settings_of(tmp_path), Access(tmp_path), None)

    async def run(address: str) -> tuple[str, Any]:
        async with with_key(address, "", mode) as client:
            state = await client.call_tool("rule_state", {"section": "Rule 612"})
            return client.protocol_version, state

    with over_http(app) as address:
        version, state = asyncio.run(run(address))

    assert version == VERSIONS[mode]
    assert state.structured_content["section"] == "242.612"


def test_over_http_keys_and_the_guard_apply(sample_home: Path, server: Any, tmp_path: Path) -> None:
    with KeyStore(tmp_path) as store:
        _, read = store.create("model", [Scope.READ])
    app = guarded(server, settings_of(tmp_path), Access(tmp_path, rate=1000), None)

    async def run(address: str) -> Any:
        async with with_key(address, read, "auto") as client:
            return await client.list_tools()

    with over_http(app) as address:
        listed = asyncio.run(run(address))
        refused = httpx2.post(address, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        elsewhere = httpx2.post(address, json={}, headers={"Host": "rebound.example"})

    assert {tool.name for tool in listed.tools} == TOOLS
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert elsewhere.status_code == 421
