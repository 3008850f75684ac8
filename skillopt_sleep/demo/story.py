"""What the demo shows, in order: a sentence or two before each command a person would type."""

from __future__ import annotations

from dataclasses import dataclass

SKILL = ".agents/skills/skillopt-sleep-learned/SKILL.md"
"""Where the learned skill of a project is."""

OPENING = """\
Robin has worked with Claude Code, Codex and Copilot for four weeks, in two repositories. Each agent
left its transcripts on disk. Robin is made up and so is the work; the files are in the clients' own
formats, and the commands below are the real ones, run now, in the folder ~ = {home}"""

CLOSING = """\
That was one night, start to finish: no key, no network, nothing of yours read or changed.
On your own work:

  skillopt-sleep run        in a repository where you use an agent
  skillopt-sleep diff       what it would change; adopt and undo are yours to call"""


@dataclass(frozen=True, slots=True)
class Step:
    """A title, why the command comes now, and the words of the command; `~` is the scratch home.

    `{proposal}` stands for the proposal of the storefront.
    """

    name: str
    title: str
    told: str
    command: tuple[str, ...]


STEPS = (
    Step(
        "run",
        "One night",
        "The night reads the transcripts, finds what Robin asks for again and again, and what Robin keeps\n"
        "correcting. A lesson is written from some sessions and must then hold in others it has not seen.\n"
        "Replayed means: with the lesson, the recorded agent would have done the right thing there.\n"
        "Restated means: Robin said the same again there, and nothing more can be shown without a model.",
        ("skillopt-sleep", "run", "--all-projects"),
    ),
    Step(
        "show",
        "Look closer",
        "Every lesson names the sessions it was learned from and those it was measured on. What was said\n"
        "only twice is not here: it was listed above as not enough yet, and waits for more.",
        ("skillopt-sleep", "show", "{proposal}"),
    ),
    Step(
        "diff",
        "See the change",
        "Nothing has been written to the repositories so far. This is what adopting would write.",
        ("skillopt-sleep", "diff"),
    ),
    Step(
        "adopt",
        "Adopt it",
        "Robin agrees with all of it. All files are written, or none. (--yes, because nobody is here to\n"
        "answer; on a terminal adopt shows the diff and asks.)",
        ("skillopt-sleep", "adopt", "--all", "--yes"),
    ),
    Step(
        "skill",
        "What the agents read from now on",
        "Codex and Copilot read this folder; Claude Code finds the same file through a link.",
        ("cat", f"~/code/storefront/{SKILL}"),
    ),
    Step(
        "changed",
        "What git sees",
        "One skill and one link to it. Nothing is committed for you.",
        ("git", "-C", "~/code/storefront", "status", "--short", "--untracked-files=all"),
    ),
    Step(
        "status",
        "Where things stand",
        "What is known, what was used, what waits.",
        ("skillopt-sleep", "status"),
    ),
    Step(
        "undo",
        "Take it back",
        "Changed your mind? One command.",
        ("skillopt-sleep", "undo"),
    ),
    Step(
        "clean",
        "And git agrees",
        "The working tree is as it was, so git has nothing to say.",
        ("git", "-C", "~/code/storefront", "status", "--short", "--untracked-files=all"),
    ),
)
