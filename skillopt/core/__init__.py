"""Pure values and functions: skill, edit, task, rollout, gate, schedule, splits, state."""
