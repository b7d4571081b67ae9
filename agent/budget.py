"""Limits of one question in; whether there is any left, and whether whoever asked still wants the answer, out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ingest.errors import OverBudget

STOPPED = "stopped"  # the reason of an OverBudget by which a question was cancelled


@dataclass(slots=True)
class Budget:
    """What one question may take, from when this is made. tokens: that models write; steps: calls of models and tools.

    stopped: asked between steps and while a model writes; True ends the question with an OverBudget of reason STOPPED.
    """

    seconds: float = 60.0
    tokens: int = 2000
    steps: int = 12
    stopped: Callable[[], bool] = lambda: False
    _began: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Seconds that are left, 0 where there are none."""
        return max(0.0, self.seconds - (time.monotonic() - self._began))

    def check(self) -> None:
        """Raises OverBudget where the question was cancelled."""
        if self.stopped():
            raise OverBudget(STOPPED, "the question was cancelled")

    def spend(self, tokens: int = 0, steps: int = 0) -> None:
        """Count what was used. Raises OverBudget where it was too much, or the time is over, or the question cancelled."""
        self.check()
        self.tokens -= tokens
        self.steps -= steps
        if self.tokens < 0:
            raise OverBudget("tokens", "it wrote more than it may", "raise REGTAPE_ANSWER_TOKENS")
        if self.steps < 0:
            raise OverBudget(
                "steps", "it took more steps than it may", "raise REGTAPE_ANSWER_STEPS"
            )
        if not self.left():
            raise OverBudget(
                "time", f"it did not finish in {self.seconds:g} s", "raise REGTAPE_ANSWER_SECONDS"
            )


def is_stop(error: Exception) -> bool:
    """Whether an error is that the question was cancelled: then nothing stands in for the answer."""
    return isinstance(error, OverBudget) and error.reason == STOPPED
