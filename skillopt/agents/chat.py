"""The plainest agent: a model that reads the skill as its system prompt and answers the task."""

from __future__ import annotations

from skillopt.core.rollout import Trajectory
from skillopt.core.skill import Skill
from skillopt.core.task import Task
from skillopt.models.ask import without_thought
from skillopt.protocols import Model, ModelRequest

_THINKING = "<think>"


class ChatAgent:
    """Answers a task's prompt with `model`, the skill's text as the system prompt."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def identity(self) -> str:
        """How it answers, and the model behind it."""
        return f"chat/2:{self.model.identity}"

    async def run(self, task: Task, skill: Skill, *, repeat: int = 0) -> Trajectory:
        """One answer, without the thoughts before it: only what a person would be told is scored. An empty
        or cut answer is the agent's own. Raises BackendError when there is none."""
        reply = await self.model.complete(ModelRequest("target", skill.text, task.prompt, attempt=repeat))
        text = without_thought(reply.text)
        if text.lstrip().startswith(_THINKING):  # it never came to an answer
            text = ""
        return Trajectory((), text, reply.usage)
