"""The plainest agent: a model that reads the skill as its system prompt and answers the task."""

from __future__ import annotations

from skillopt.core.rollout import Trajectory
from skillopt.core.skill import Skill
from skillopt.core.task import Task
from skillopt.protocols import Model, ModelRequest


class ChatAgent:
    """Answers a task's prompt with `model`, the skill's text as the system prompt."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def identity(self) -> str:
        """The model behind it."""
        return f"chat/1:{self.model.identity}"

    async def run(self, task: Task, skill: Skill, *, repeat: int = 0) -> Trajectory:
        """One answer. An empty or cut answer is the agent's own. Raises BackendError when there is none."""
        reply = await self.model.complete(ModelRequest("target", skill.text, task.prompt, attempt=repeat))
        return Trajectory((), reply.text, reply.usage)
