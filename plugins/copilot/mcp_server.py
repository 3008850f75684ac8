"""Becomes the MCP server of skillopt-sleep, wherever that is installed: `python mcp_server.py`.

It needs nothing but Python, asks each program it finds whether it is ours before it runs it, and runs nothing
of the folder it is started in.
"""

import os
import sys

# Before anything more is imported: a module in the working folder must not be taken for one of Python's own.
sys.path[:] = [each for each in sys.path if each.startswith((sys.base_prefix + os.sep, sys.prefix + os.sep))]

import subprocess  # noqa: E402

PROTOCOL = "skillopt-sleep-protocol 1 "
PROGRAM = "skillopt-sleep.exe" if os.name == "nt" else "skillopt-sleep"
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
DROPPED = (
    "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONINSPECT", "PYTHONEXECUTABLE",
    "PYTHONWARNINGS",
)  # fmt: skip
TIMEOUT_S = 10


def main():
    """Become the server, or say what is missing; never a traceback."""
    env = {key: value for key, value in os.environ.items() if key not in DROPPED}
    env["PYTHONSAFEPATH"] = "1"
    strangers = []
    engine = find_engine(env, strangers)
    if engine is None:
        return tell_missing(env, strangers)
    command = [engine, "mcp", *sys.argv[1:]]
    try:
        if os.name == "nt":
            return subprocess.call(command, env=env)
        os.execve(engine, command, env)
    except OSError as error:
        say(f"error: {engine} cannot be run.", f"  why: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        return 130


def find_engine(env, strangers):
    """The program, in the order in which the plugin looks for it too."""
    if env.get("SKILLOPT_SLEEP_ENGINE"):
        named = env["SKILLOPT_SLEEP_ENGINE"]
        return named if is_engine(named, env, strangers) else None
    forbidden = where_one_works()
    # A state folder is never in a repository; one there was put there for us to find.
    found = [recorded(env)] if is_safe(state_folder(env), forbidden) else []
    if is_safe(data_folder(env), forbidden):
        found.append(installed_apart(env))
    for entry in env.get("PATH", "").split(os.pathsep):
        if is_safe(entry, forbidden):
            found.append(os.path.join(entry, PROGRAM))
    return next((path for path in found if path and is_engine(path, env, strangers)), None)


def state_folder(env):
    """Where the state is kept."""
    return os.path.expanduser(env.get("SKILLOPT_SLEEP_HOME") or os.path.join("~", ".skillopt-sleep"))


def data_folder(env):
    """Where an engine of its own is installed by the plugin's script."""
    base = env.get("XDG_DATA_HOME") or os.path.expanduser(os.path.join("~", ".local", "share"))
    return os.path.join(base, "skillopt-sleep")


def recorded(env):
    """The program that `skillopt-sleep install` noted."""
    try:
        path = os.path.join(state_folder(env), "engine")
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readline(4096).rstrip("\n")
    except OSError:
        return None


def installed_apart(env):
    """The program in the data folder."""
    return os.path.join(data_folder(env), "engine", SCRIPTS, PROGRAM)


def where_one_works():
    """The folders that name no program to run; None when nobody knows where this is."""
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:
        return None
    person = os.path.realpath(os.path.expanduser("~"))
    # Who works in the home folder itself, or above, has programs of their own below.
    return [here, *(each for each in (here, git_root(here)) if each and not is_within(person, each))]


def is_safe(folder, forbidden):
    """Whether `folder` may name programs: it is absolute, and not below where the person works."""
    if forbidden is None or not os.path.isabs(folder):
        return False
    real = os.path.realpath(folder)
    return real != forbidden[0] and not any(is_within(real, each) for each in forbidden[1:])


def git_root(folder):
    """The folder with `.git` that `folder` lies in, empty when it lies in none."""
    while not os.path.lexists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return ""
        folder = above
    return folder


def is_within(path, folder):
    """Whether `path` is `folder` or below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def is_engine(path, env, strangers):
    """Whether the program at `path` says that it is ours, asked where nothing lies that it could run."""
    if not (os.path.isabs(path) and os.path.isfile(path) and os.access(path, os.X_OK)):
        return False
    try:
        done = subprocess.run(
            [path, "--protocol"], cwd=os.path.abspath(os.sep), env={**env, "SKILLOPT_SLEEP_ASKED": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=TIMEOUT_S,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        strangers.append(path)
        return False
    if done.returncode == 0 and done.stdout.decode("ascii", "replace").startswith(PROTOCOL):
        return True
    strangers.append(path)
    return False


def tell_missing(env, strangers):
    """What is missing and what installs it, on standard error; the exit code."""
    if env.get("SKILLOPT_SLEEP_ENGINE"):
        say(
            "error: SKILLOPT_SLEEP_ENGINE does not name the program: " + env["SKILLOPT_SLEEP_ENGINE"],
            "  why: it has to be the absolute path of a skillopt-sleep that answers `--protocol`.",
            "  next: unset it, or set it to that path, then start the client again.",
        )
        return 2
    say("error: The program skillopt-sleep is not installed.")
    record, data = os.path.join(state_folder(env), "engine"), data_folder(env)
    say(f"  why: none is recorded in {record}, none is in {data}, and no skillopt-sleep on PATH is it.")
    for path in strangers:
        say(f"  found: {path}, which does not answer as this program does; it is another one, or broken.")
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    script = os.path.join(folder, "plugins", "claude-code", "scripts", "bootstrap.sh")
    if not os.path.isfile(script):
        script = os.path.join("FOLDER", "plugins", "claude-code", "scripts", "bootstrap.sh")
    words = ["sh", script, "--from", folder if "FOLDER" not in script else "FOLDER"]
    say("  next: " + " ".join(quoted(word) for word in [*words, "--into", data]))
    if "FOLDER" in script:
        say("  FOLDER is a clone of the repository this file comes from.")
    return 4


def quoted(word):
    """A word of a command line, to be copied."""
    if word and all(char.isalnum() or char in "-_./=+:" for char in word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def say(*lines):
    """Lines on standard error, where clients show what a server says."""
    for line in lines:
        sys.stderr.write(line.encode("ascii", "backslashreplace").decode("ascii") + "\n")


if __name__ == "__main__":
    sys.exit(main())
