"""How tasks, edits and steps are shown to an optimizer: short, numbered, and always the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from skillopt.core.edit import Edit, Patch, RejectedEdit
from skillopt.core.rollout import Rollout, Score, Step
from skillopt.core.state import StepRecord
from skillopt.protocols import Comparison, TrainRollout

MAX_PROMPT_CHARS = 4_000
MAX_STEP_CHARS = 600
MAX_STEPS = 40
MAX_ANSWER_CHARS = 4_000
NOTHING = "(none)"


def tasks_text(rollouts: Iterable[TrainRollout]) -> str:
    """Each task with what was asked, what the agent did, and how it was scored."""
    return "\n\n".join(_task(one.task.id, one.task.prompt, [("", one.rollout)]) for one in rollouts)


def pairs_text(pairs: Iterable[Comparison]) -> str:
    """Each task with what became of it, then and now."""
    return "\n\n".join(
        _task(
            pair.task.id,
            pair.task.prompt,
            [("one epoch ago", pair.before), ("now", pair.after)],
            f"outcome: {pair.outcome.replace('_', ' ')}\n",
        )
        for pair in pairs
    )


def edits_text(edits: Sequence[Edit]) -> str:
    """The edits numbered from 0, each as one line of JSON."""
    return "\n".join(f"[{i}] {_json(edit_json(edit))}" for i, edit in enumerate(edits)) or NOTHING


def suggestions_text(suggestions: Sequence[Edit]) -> str:
    """The suggestions numbered from 0, each with its reason."""
    return "\n".join(
        f"[{i}] {one.text}" + (f" ({one.rationale})" if one.rationale else "")
        for i, one in enumerate(suggestions)
    )


def rejected_text(rejected: Sequence[RejectedEdit]) -> str:
    """Edits the gate turned down, with the scores that spoke against them."""
    return "\n".join(
        f"- {_json(edit_json(one.edit))} (held-out score {_score(one.current)} to {_score(one.candidate)})"
        for one in rejected
    ) or NOTHING  # fmt: skip


def patches_text(patches: Sequence[Patch], key: str) -> str:
    """Patches as JSON, one block each; `key` names the list of edits."""
    return "\n\n".join(
        f"patch {i} (from {patch.origin})\n"
        + _json({"reasoning": patch.reasoning, key: [edit_json(edit) for edit in patch.edits]})
        for i, patch in enumerate(patches, 1)
    )


def steps_text(steps: Sequence[StepRecord]) -> str:
    """What each step tried and what the gate said."""
    lines = []
    for record in steps:
        for attempt in record.attempts:
            decision = attempt.decision
            lines.append(f"step {record.step}: {decision.verdict}, {decision.reason}")
            lines += [f"  {report.outcome}: {_json(edit_json(report.edit))}" for report in attempt.reports]
    return "\n".join(lines) or NOTHING


def edit_json(edit: Edit) -> dict[str, object]:
    """An edit as an optimizer writes one."""
    return {
        "op": edit.op,
        "anchor": edit.anchor,
        "text": edit.text,
        "rationale": edit.rationale,
        "evidence": list(edit.evidence),
    }


def _task(task_id: str, prompt: str, rollouts: Sequence[tuple[str, Rollout]], head: str = "") -> str:
    parts = [f"### task {task_id}\n{head}asked:\n{_cut(prompt, MAX_PROMPT_CHARS)}"]
    for when, rollout in rollouts:
        label = f" {when}" if when else ""
        steps = [_step(step) for step in rollout.trajectory.steps if step.kind != "message"]
        shown = (
            steps if len(steps) <= MAX_STEPS else [*steps[: MAX_STEPS // 2], "...", *steps[-MAX_STEPS // 2 :]]
        )
        did = "\n".join(shown)
        parts.append(
            f"score{label}: {_scored(rollout.score)}"
            + (f"\ndid{label}:\n{did}" if did else "")
            + f"\nanswered{label}:\n{_cut(rollout.trajectory.answer, MAX_ANSWER_CHARS) or NOTHING}"
        )
    return "\n".join(parts)


def _step(step: Step) -> str:
    what = step.command or " ".join(step.files) or step.text
    code = "" if step.exit_code is None else f" (exit {step.exit_code})"
    return f"- {step.kind} {step.tool}: {_cut(what, MAX_STEP_CHARS)}{code}"


def _scored(score: Score | None) -> str:
    if score is None:
        return "none"
    detail = f" ({_cut(score.detail, MAX_STEP_CHARS)})" if score.detail else ""
    return f"hard {score.hard:.2f}, soft {score.soft:.2f}{detail}"


def _score(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit * 2 // 3]}\n[...]\n{text[-(limit // 3) :]}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
