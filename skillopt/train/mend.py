"""A second try for a candidate that helps some tasks and hurts others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from skillopt.core.edit import Candidate, Edit, Patch
from skillopt.core.gate import GateDecision
from skillopt.core.skill import Skill
from skillopt.protocols import Gate
from skillopt.train.evaluate import Evaluator

_ROUNDING = 1e-9


async def mended(
    skill: Skill,
    candidate: Candidate,
    decision: GateDecision,
    *,
    update: Callable[[Skill, Patch], Awaitable[Candidate]],
    gate: Gate,
    evaluator: Evaluator,
) -> Candidate | None:
    """`candidate` without the edits whose removal, one at a time, raises a task the gate saw drop.

    None when the gate named no dropped task or no other one gained, when no edit is to blame, or when nothing
    would be left. Costs one rollout for each dropped task and edit (times repeats).
    """
    edits = candidate.applied
    if not (decision.dropped and decision.gained) or len(edits) < 2:
        return None
    fallen = {task_id: after for task_id, _, after in decision.pairs if task_id in decision.dropped}

    async def is_to_blame(edit: Edit) -> bool:
        without = await update(skill, Patch(tuple(other for other in edits if other is not edit)))
        # The gate measures, so that scores are compared in its own metric; its verdict is not asked for.
        measured = await gate.decide(skill, Skill(without.text, skill.kind), evaluator.only(fallen))
        return any(after > fallen[task_id] + _ROUNDING for task_id, _, after in measured.pairs)

    kept = tuple([edit for edit in edits if not await is_to_blame(edit)])
    if not kept or len(kept) == len(edits):
        return None
    return await update(skill, Patch(kept))
