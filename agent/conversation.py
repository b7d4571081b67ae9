"""A question of a conversation in, its answered turn out, kept: THE FLOW of a conversation, as a LangGraph.

    resolve → answer → checkpoint

"resolve" reads the question in the light of the turns before it; what is then asked stands alone, so everything that holds
of a single answer, the gate included, holds of each turn. One turn is one checkpoint: a turn that fails or is cut off
leaves the thread as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypedDict

from agent.follow import Said, resolve
from agent.reply import Answer
from agent.threads import NEW, Threads, read_json, to_json

REMEMBERED = 12  # turns that a follow-up is read against


Ask = Callable[[str], Answer]  # a question that stands alone → its answer
Keep = Callable[[Answer], dict[str, Any]]  # an answer → its public JSON


class _Talk(TypedDict, total=False):
    """What a checkpoint holds; all of it is JSON. turn: the newest, as agent.threads.Turn; said: what follow-ups are read
    against, oldest first.
    """

    question: str
    as_of: str | None
    asked: str
    said: list[dict[str, Any]]
    turn: dict[str, Any]


@dataclass(slots=True)
class _Context:
    """What a turn is made with and no checkpoint holds. answer: where the made one is handed out."""

    thread: str
    ask: Ask
    keep: Keep
    answer: Answer | None = None


def converse(
    threads: Threads, thread: str, question: str, as_of: datetime | None, ask: Ask, keep: Keep
) -> Answer:
    """One turn of a thread, or of a new one where `thread` is NEW. Its answer names the thread, the turn and what was asked.

    Raises NotKnown on a thread that does not exist, and what `ask` raises; then nothing is kept.
    """
    words = " ".join(question.split())
    id = threads.begin(words) if thread == NEW else threads.thread(thread).id
    with threads.alone(id):
        threads.thread(id)  # it may have been deleted meanwhile
        context = _Context(id, ask, keep)
        try:
            kept: _Talk = _graph(threads).invoke(
                {"question": words, "as_of": as_of.isoformat() if as_of else None},
                {"configurable": {"thread_id": id}},
                context=context,
                durability="exit",
            )
        except BaseException:
            if thread == NEW:
                threads.forget(id)
            raise
        threads.spoken(id, kept["turn"]["number"])
    assert context.answer is not None
    return context.answer


def _resolve(state: _Talk) -> _Talk:
    return {"asked": resolve(state["question"], [Said(**each) for each in state.get("said", ())])}


def _answer(state: _Talk, runtime: Any) -> _Talk:
    context: _Context = runtime.context
    question, asked = state["question"], state["asked"]
    number = state["turn"]["number"] + 1 if "turn" in state else 1
    found = context.ask(asked)
    asked_as = asked if asked != question else ""
    answer = context.answer = replace(
        found, question=question, asked_as=asked_as, thread=context.thread, turn=number
    )
    said = Said.of(question, asked, found)
    return {
        "said": [*state.get("said", ()), said.to_json()][-REMEMBERED:],
        "turn": {
            "number": number,
            "question": question,
            "asked_as": asked_as,
            "as_of": state["as_of"],
            "answer": context.keep(answer),
        },
    }


class _Json:
    """LangGraph's port for what a checkpoint is stored as."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return to_json(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return read_json(*data)


def _graph(threads: Threads) -> Any:
    # Here, for it takes half a second: paid only where something is asked.
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(_Talk, context_schema=_Context)
    graph.add_node("resolve", _resolve)
    graph.add_node("answer", _answer)
    graph.add_edge(START, "resolve")
    graph.add_edge("resolve", "answer")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=SqliteSaver(threads.connection, serde=_Json()))
