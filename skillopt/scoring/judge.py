"""A model as judge: the answer against a rubric. What it cannot be made to say is no score."""

from __future__ import annotations

from skillopt.core.rollout import Score, Trajectory
from skillopt.core.task import Json, Task
from skillopt.models.ask import ask
from skillopt.prompts import load_prompt, prompts_sha
from skillopt.protocols import Model, ModelRequest
from skillopt.scoring.checks import reply_text

_SHAPE: dict[str, Json] = {
    "type": "object",
    "properties": {"score": {"type": "number"}, "reason": {"type": "string"}},
    "required": ["score", "reason"],
    "additionalProperties": False,
}
PASSES = 1.0


class Judge:
    """Scores by asking `model`; hard is 1 for the full score only."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._prompt = load_prompt("judge")

    @property
    def identity(self) -> str:
        """The model and the words it is asked with."""
        return f"judge:{self.model.identity}:{prompts_sha({'judge': self._prompt})}"

    async def score(self, task: Task, trajectory: Trajectory, rubric: str) -> Score:
        """The score. Raises ReplyError when the judge cannot be read, BackendError when it is unavailable."""
        system, user = self._prompt.fill(task=task.prompt, answer=reply_text(trajectory), rubric=rubric)
        return await ask(self.model, ModelRequest("judge", system, user, _SHAPE), _read)


def _read(data: Json) -> Score:
    value = data.get("score") if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ValueError('"score" must be a number from 0 to 1')
    reason = data.get("reason") if isinstance(data, dict) else ""
    return Score(float(value >= PASSES), float(value), reason if isinstance(reason, str) else "")
