"""What the installed program runs first: who it is, it says before anything is imported."""

from __future__ import annotations

import sys

from skillopt import __version__

PROTOCOL = f"skillopt-sleep-protocol 1 {__version__}"
"""What `--protocol` prints: other programs bear this name, and whoever starts it has to know it is ours.

A plugin asks at each start of a client, so the answer must not wait for the imports of the commands.
"""


def main() -> None:
    """Run the command line of this process and end it."""
    if sys.argv[1:] == ["--protocol"]:
        sys.stdout.write(f"{PROTOCOL}\n")
        return
    from skillopt_sleep.cli.main import main as run

    run()
