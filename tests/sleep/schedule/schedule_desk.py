"""Stand-ins for the programs that schedulers are told things with: real executables that keep real files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skillopt_sleep.schedule.commands import Runner
from skillopt_sleep.schedule.entry import Entry, name_of

_HEAD = """#!/bin/sh
PATH=/usr/bin:/bin; cd {state} || exit 9
echo "{name} $*" >> calls
refused() {{ test -e "refuse-$1" && cat "refuse-$1" >&2; }}
"""

_CRONTAB = """
case $1 in
-l) refused crontab-l && exit 1
    test -e table && exec cat table
    echo "no crontab for robin" >&2; exit 1;;
-)  refused crontab-w && { cat > /dev/null; exit 1; }
    test -e refuse-half && { rm refuse-half; head -c 7 > table; exit 1; }
    cat > table
    test -e meanwhile && { cat meanwhile >> table; rm meanwhile; }
    exit 0;;
-r) rm table;;
esac
"""

_SYSTEMCTL = """
shift; verb=$1; for unit; do :; done
refused "$verb" && exit 1
case $verb in
enable) touch "enabled-$unit";;
restart) touch "active-$unit";;
disable) rm -f "enabled-$unit" "active-$unit";;
is-enabled) test -e "enabled-$unit";;
is-active) test -e "active-$unit";;
esac
"""

_LAUNCHCTL = """
refused "$1" && exit 1
case $1 in
print) test -e "loaded-$(basename "$2")";;
bootout) rm "loaded-$(basename "$2")";;
bootstrap) name=$(basename "$3" .plist)
    test -e "loaded-$name" && exit 5
    touch "loaded-$name";;
load) exit 1;;
esac
"""

_SCHTASKS = """
refused "${1#/}" && exit 1
case "$1 $2" in
"/Query /FO") printf '"\\\\Microsoft\\\\Other","N/A","Ready"\\r\\n'
    for each in *.task; do
        test -e "$each" && printf '"\\\\%s","1","Ready"\\r\\n' "${each%.task}"
    done; exit 0;;
"/Query /TN") exec cat "$3.task";;
"/Create /TN") exec cp "$5" "$3.task";;
"/Delete /TN") exec rm "$3.task";;
esac
"""


@dataclass(frozen=True)
class Desk:
    """A PATH with the stand-ins, and the folder of what they keep."""

    home: Path
    state: Path
    bin: Path

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": str(self.bin), "HOME": str(self.home)}

    @property
    def run(self) -> Runner:
        return Runner(self.env)

    @property
    def crontab(self) -> Path:
        return self.state / "table"

    @property
    def units(self) -> Path:
        return self.home / ".config" / "systemd" / "user"

    @property
    def agents(self) -> Path:
        return self.home / "Library" / "LaunchAgents"

    @property
    def calls(self) -> list[str]:
        path = self.state / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def refuse(self, what: str, words: str = "computer says no") -> Path:
        path = self.state / f"refuse-{what}"
        path.write_text(f"{words}\n")
        return path

    def kept(self) -> dict[str, bytes]:
        """Every file of the desk but the list of calls: the whole world as far as schedulers go."""
        return {
            str(path.relative_to(self.home.parent)): path.read_bytes()
            for folder in (self.home, self.state)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != "calls"
        }


def furnish(desk: Desk) -> None:
    """Make the folders and the programs."""
    for folder in (desk.home, desk.state, desk.bin):
        folder.mkdir()
    scripts = {
        "crontab": _CRONTAB,
        "systemctl": _SYSTEMCTL,
        "launchctl": _LAUNCHCTL,
        "schtasks": _SCHTASKS,
    }
    for name, text in scripts.items():
        path = desk.bin / name
        path.write_text(_HEAD.format(state=f"'{desk.state}'", name=name) + text)
        path.chmod(0o755)


def make_entry(
    program: Path, home: str = "/home/robin/.skillopt-sleep", *options: str, minute: int = 7
) -> Entry:
    command = (str(program), "run", "--if-due", "--home", home, *options)
    return Entry(name_of(Path(home)), command, (("CODEX_HOME", home), ("SKILLOPT_SLEEP_OWN", "1")), minute)


HOSTILE = [
    "/home/robin/with space/.state",
    '/home/robin/it\'s "quoted"',
    "/home/robin/100%/%h/%%/%d",
    "/home/robin/$HOME/${X}/$(date)/`date`",
    "/home/robin/back\\slash\\%\\\\",
    "/home/robin/Ünïcode/睡眠/🌙",
    "/home/robin/<a>&b;#c|d!e*f?[g]~{h,i}",
    "/home/robin/‘typographic’",
    "-starts/with a dash",
]
