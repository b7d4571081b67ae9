"""An asker in, the same one with its answers counted and logged out: refusals, what the gate dropped, how long it took.

The words of a question are logged where the settings say so, and nowhere else.
"""

import time

from agent.reply import Answer, Passage
from api.asking import Asker, OnStep, Question
from api.logs import REQUEST, Log
from api.metrics import Metrics


class WatchedAsker:
    """An Asker around another."""

    def __init__(self, asker: Asker, metrics: Metrics, log: Log | None, *, words: bool) -> None:
        self._asker, self._metrics, self._log, self._words = asker, metrics, log, words

    async def ask(self, question: Question, on_step: OnStep) -> Answer:
        began = time.perf_counter()
        answer = await self._asker.ask(question, on_step)
        took = time.perf_counter() - began
        self._metrics.asked(
            took, str(answer.refusal) if answer.refusal else None, [d.point for d in answer.dropped]
        )
        if self._log is not None:
            more = {"question": question.words} if self._words else {}
            self._log.tell(
                "answer", request=REQUEST.get(), refusal=answer.refusal, sentences=len(answer.sentences),
                dropped=len(answer.dropped), ms=round(1000 * took, 1), **more,
            )  # fmt: skip
        return answer

    async def search(self, question: Question) -> tuple[Passage, ...]:
        return await self._asker.search(question)

    async def ping(self) -> dict[str, str]:
        return await self._asker.ping()

    async def close(self) -> None:
        await self._asker.close()
