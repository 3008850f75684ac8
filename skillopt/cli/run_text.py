"""Summaries, scores and estimates as lines for people: every score with its n and interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skillopt.runs.compare import Comparison
from skillopt.runs.estimate import Estimate, Range
from skillopt.runs.evaluation import EvalReport
from skillopt.runs.progress import duration


def summary_lines(summary: Mapping[str, Any], path: Path) -> list[str]:
    """A finished run."""
    gates, timing = summary["gates"], summary["timing"]
    confidence = gates["confidence"]
    lines = [f"{path.name}: {summary['steps']} steps in {summary['epochs']} epochs"]
    for split, name in (("selection", "held-out selection"), ("test", "sealed test")):
        lines += [f"{name} ({summary['metric']}, {confidence:.0%} intervals)"]
        lines += [f"  {which:<6} {score_text(summary[split][which])}" for which in ("seed", "best", "final")]
        lines.append(f"  lift   {_gain(summary[split]['lift'])}")
        lines += _leak(summary[split].get("leaked", ()), 2)
    lines.append(
        f"gate: {gates['accepted']} accepted, {gates['rejected']} rejected, {gates['abstained']} abstained; "
        f"the chance that any of {gates['looks']} intervals is wrong is at most {gates['run_wide']:.0%}"
    )
    lines.append(f"spent: {_spent(summary)}")
    if timing["wall_s"]:
        lines.append(
            f"time: {duration(timing['wall_s'])}, critical path {duration(timing['critical_s'])} "
            "(this process; summary.json has it stage by stage)"
        )
    if summary["skill_changed"]:
        lines.append(f"best skill: {path / 'best_skill.md'}")
        lines.append(f"next: diff {path / 'skills' / 'skill_v0000.md'} {path / 'best_skill.md'}")
    else:
        lines.append("the gate accepted nothing better: the best skill is the seed skill")
        lines.append(f"next: skillopt show run {path}")
    return lines


def eval_lines(report: EvalReport, skill: str) -> list[str]:
    """A skill on a split."""
    score = {"score": report.score.score, "n": report.score.n, "interval": report.score.interval,
             "n_missing": report.score.n_missing}  # fmt: skip
    lines = [f"{skill} on {report.split} ({report.metric}): {score_text(score)}"]
    lines += _leak(report.leaked)
    for task in report.tasks:
        if task.hard is None:
            lines.append(f"  {task.task}: no score: {task.error}")
    if report.seconds is not None and report.tokens is not None:
        usd = "no price known" if report.usd is None else f"${report.usd:.6f}"
        lines.append(f"a task: {report.seconds:.2f} s, {report.tokens:,.0f} tokens, {usd}")
    lines.append(f"calls paid now: {report.paid}")
    return lines


def estimate_lines(found: Estimate) -> list[str]:
    """A table of calls, tokens and money."""
    rows = [("role", "for", "calls", "tokens", "US dollars")]
    rows += [
        (line.role, line.what, _range(line.calls), _range(line.tokens), _money(line.usd))
        for line in found.lines
        if line.calls.high
    ]
    rows.append(("all", "", _range(found.calls), _range(found.tokens), _money(found.usd)))
    ground = (
        f"lengths are those of {found.measured} calls this run has made"
        if found.measured
        else "lengths are guessed: four characters a token, replies of 300 tokens (optimizer 600)"
    )
    return [*table(rows), "low: no edit is ever proposed; high: the gate measures one at every step", ground]


def comparison_lines(found: Comparison) -> list[str]:
    """Two runs side by side."""
    one, two = found.summaries
    rows: list[tuple[str, ...]] = [("", *found.runs)]
    rows += [(key, str(was), str(now)) for key, (was, now) in found.settings.items()]
    for split in ("selection", "test"):
        for which in ("seed", "best"):
            rows.append((f"{split} {which}", score_text(one[split][which]), score_text(two[split][which])))
    rows.append(("steps", str(one["steps"]), str(two["steps"])))
    rows.append(("spent", *(_spent(each) for each in found.summaries)))
    gain = found.gain
    told = _gain({"gain": gain.gain, "n": gain.n, "interval": gain.interval})
    lines = [*table(rows), f"best of the second over best of the first, on the tests both did: {told}"]
    return [*lines, *(f"not compared: {note}" for note in found.notes)]


def score_text(score: Mapping[str, Any]) -> str:
    """A mean with its n and interval."""
    if score["score"] is None:
        return "no score"
    low, high = score["interval"]
    missing = f", {score['n_missing']} could not be scored" if score["n_missing"] else ""
    return f"{score['score']:.3f} [{low:.2f}, {high:.2f}] (n={score['n']}{missing})"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _leak(tasks: Sequence[str], indent: int = 0) -> list[str]:
    if not tasks:
        return []
    named = ", ".join(tasks[:5]) + (f" and {len(tasks) - 5} more" if len(tasks) > 5 else "")
    told = f"warning: {len(tasks)} of these tasks were seen before, so their scores mean nothing: {named}"
    return [" " * indent + told]


def _gain(gain: Mapping[str, Any]) -> str:
    if gain["gain"] is None:
        return "no task was scored with both"
    low, high = gain["interval"]
    return f"{gain['gain']:+.3f} [{low:+.2f}, {high:+.2f}] (n={gain['n']} pairs)"


def _spent(summary: Mapping[str, Any]) -> str:
    spend = summary["spend"]
    calls = sum(row["calls"] for row in spend)
    tokens = sum(row["input_tokens"] + row["output_tokens"] for row in spend)
    unpriced = summary["unpriced_calls"]
    if unpriced == calls and calls:
        money = "no price known"
    else:
        money = f"${summary['usd']:.4f}" + (f" and {unpriced} calls without a price" if unpriced else "")
    roles = {role: sum(row["calls"] for row in spend if row["role"] == role) for role in _ROLES}
    shares = ", ".join(f"{role} {n}" for role, n in roles.items() if n)
    return f"{calls} calls ({shares}), {tokens:,} tokens, {money}"


_ROLES = ("target", "optimizer", "judge")


def _range(found: Range) -> str:
    low, high = (f"{round(value):,}" for value in (found.low, found.high))
    return low if low == high else f"{low} to {high}"


def _money(found: Range | None) -> str:
    if found is None:
        return "no price known"
    return f"{found.low:.2f} to {found.high:.2f}"
