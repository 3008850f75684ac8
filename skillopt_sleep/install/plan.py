"""What wiring a client, or taking that back, would change: worked out wholly before anything is touched."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from skillopt_sleep.install import live
from skillopt_sleep.install.config_text import find, holds, is_blank, is_ours, owned, put_in, take_out
from skillopt_sleep.install.edit import Edited, without_cuts
from skillopt_sleep.install.record import ChangedText, Installed, OwnedEntry, OwnedFile, OwnedFolder
from skillopt_sleep.install.wiring import Entry, OwnFile, Wiring
from skillopt_sleep.journal import FileChange
from skillopt_sleep.proposal import file_sha

Action = Literal["add", "change", "remove", "there", "keep"]

_EDITED = "somebody edited it"
_REPLACED = "somebody put something else there"


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one file: `what` is an entry in it, or empty for the whole; `why` tells of a `keep`.

    `is_theirs` when it stays because somebody made it into something of their own.
    """

    action: Action
    path: str
    what: str = ""
    why: str = ""
    is_theirs: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """All changes of live files, their bytes by hash, and what is installed once they are made."""

    steps: tuple[Step, ...]
    changes: tuple[FileChange, ...]
    blobs: Mapping[str, bytes]
    make_folders: tuple[str, ...]
    remove_folders: tuple[str, ...]
    installed: Installed


@dataclass(slots=True)
class _Draft:
    """The plan while it is worked out."""

    client: str
    before: Installed
    state: Path
    steps: list[Step] = field(default_factory=list)
    changes: list[FileChange] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    make: dict[str, None] = field(default_factory=dict)

    def tell(self, action: Action, path: Path, what: str = "", why: str = "") -> None:
        self.steps.append(Step(action, str(path), what, why, is_theirs=why in (_EDITED, _REPLACED)))

    def change(self, path: Path, before: bytes | None, after: bytes | None, mode: int) -> None:
        """A live file from one content to another; one that is new gets `mode`."""
        if before == after:
            return
        live.check(path)
        for data in (before, after):
            if data is not None:
                self.blobs[file_sha(data)] = data
        old_mode = None if before is None else stat.S_IMODE(path.stat().st_mode)
        new_mode = None if after is None else mode if old_mode is None else old_mode
        self.changes.append(FileChange(str(path), _sha(before), _sha(after), old_mode, new_mode))
        if after is not None:
            missing = [str(folder) for folder in path.parents if not folder.exists()]
            self.make |= dict.fromkeys(reversed(missing))


def plan(before: Installed, wiring: Wiring, state: Path) -> Planned:
    """What takes a client from what `before` records to `wiring`; an empty one takes it out.

    What lies below the folder `state` is ours whatever it holds. The `clients` of the record are left to the
    caller. Raises ConfigError for a file that cannot be read or added to, and for something else of the same
    name.
    """
    draft = _Draft(wiring.client, before, state)
    texts = tuple(_texts(draft, wiring.entries))
    _clear(draft, wiring.leftovers)
    files = tuple(_files(draft, wiring.files))
    folders = tuple(_folders(draft, [*(text.path for text in texts), *(file.path for file in files)]))
    gone = {each.path for each in before.folders} - {each.path for each in folders}
    return Planned(
        tuple(draft.steps),
        tuple(draft.changes),
        draft.blobs,
        tuple(draft.make),
        tuple(sorted(gone, key=len, reverse=True)),
        replace(before, texts=texts, files=files, folders=folders),
    )


def _texts(draft: _Draft, entries: Iterable[Entry]) -> Iterator[ChangedText]:
    known: dict[str, ChangedText] = {}
    for text in draft.before.texts:
        if text.client == draft.client:
            # A person may have put a link in its place since.
            path = str(live.real_path(Path(text.path)))
            known[path] = replace(text, path=path)
    wanted: dict[str, list[Entry]] = {}
    for entry in entries:
        wanted.setdefault(str(live.real_path(entry.path)), []).append(entry)
    yield from (text for text in draft.before.texts if text.client != draft.client)
    for path in dict.fromkeys([*known, *wanted]):
        with live.understood(Path(path), wanted.get(path, ())):
            changed = _text(draft, Path(path), known.get(path), wanted.get(path, []))
        if changed is not None:
            yield changed


def _text(draft: _Draft, path: Path, known: ChangedText | None, wanted: list[Entry]) -> ChangedText | None:
    data = live.read(path)
    text = live.decoded(path, data)
    if known is not None and _is_as_wanted(text, known, wanted):
        for entry in wanted:
            draft.tell("there", path, entry.name)
        return known
    base = text if known is None else _without(draft, path, text, known, {entry.keys for entry in wanted})
    made, put = Edited(base, ()), list[OwnedEntry]()
    for entry in wanted:
        if holds(made.text, entry):
            draft.tell("there", path, entry.name)
            continue
        if not entry.is_item and find(made.text, entry.syntax, entry.keys)[0]:
            raise live.in_the_way(path, entry)
        put.append(owned(made.text, entry))
        edited = put_in(made.text, entry)
        made = Edited(edited.text, (*edited.cuts, *made.cuts))
        draft.tell("change" if known else "add", path, entry.name)
    # A file that was made for our entries goes with the last of them.
    is_made = data is None or (known is not None and known.before_sha is None)
    is_only_ours = is_made and (not base or (known is not None and is_blank(base, known.entries[0].syntax)))
    after = made.text.encode() if put or not is_only_ours else None
    draft.change(path, data, after, 0o600)
    if not put:
        return None
    before_sha = None if is_only_ours else file_sha(base.encode())
    return ChangedText(str(path), draft.client, before_sha, _sha(after) or "", made.cuts, tuple(put))


def _clear(draft: _Draft, leftovers: Iterable[Entry]) -> None:
    for entry in leftovers:
        path = live.real_path(entry.path)
        data = live.read(path)
        text = live.decoded(path, data)
        with live.understood(path):
            is_there = data is not None and find(text, entry.syntax, entry.keys)[0]
            after = take_out(text, owned(text, entry)) if is_there else text
        if is_there:
            draft.tell("remove", path, entry.name)
            draft.change(path, data, after.encode(), 0o600)


def _is_as_wanted(text: str, known: ChangedText, wanted: list[Entry]) -> bool:
    names = {(entry.keys, entry.is_item) for entry in wanted}
    is_more = any((each.keys, each.is_item) not in names for each in known.entries)
    return bool(wanted) and not is_more and all(holds(text, entry) for entry in wanted)


def _without(draft: _Draft, path: Path, text: str, known: ChangedText, staying: set[tuple[str, ...]]) -> str:
    """`text` without what is ours in it; what somebody made into something else is left there, and told."""
    if file_sha(text.encode()) == known.after_sha:
        for each in known.entries:
            if each.keys not in staying:
                draft.tell("remove", path, ".".join(each.keys))
        return without_cuts(text, known.cuts)
    for each in reversed(known.entries):
        name = ".".join(each.keys)
        if not find(text, each.syntax, each.keys)[0]:
            continue
        if is_ours(text, each):
            text = take_out(text, each)
            if each.keys not in staying:
                draft.tell("remove", path, name)
        else:
            draft.tell("keep", path, name, _REPLACED)
    return text


def _files(draft: _Draft, wanted: Iterable[OwnFile]) -> Iterator[OwnedFile]:
    known: dict[str, OwnedFile] = {}
    for each in draft.before.files:
        is_of_client = draft.client in each.clients
        place = str(live.real_path(Path(each.path))) if is_of_client else each.path
        known[place] = replace(each, path=place)
    staying = {str(live.real_path(file.path)): file for file in wanted}
    for path, file in staying.items():
        before = known.get(path)
        yield _own(draft, Path(path), before, file)
    for path, before in known.items():
        if path not in staying and (kept := _released(draft, Path(path), before)) is not None:
            yield kept


def _own(draft: _Draft, path: Path, known: OwnedFile | None, file: OwnFile) -> OwnedFile:
    data = live.read(path)
    is_state = path.is_relative_to(draft.state)
    if data == file.data:
        draft.tell("there", path)
        # Who finds his own file there keeps it: it is not ours to remove.
        if known is None and not is_state:
            return OwnedFile(str(path), "", (draft.client,))
    elif data is None:
        draft.tell("add", path)
    elif is_state or (known is not None and known.sha == file_sha(data)):
        draft.tell("change", path)
    else:
        raise live.refused(path, "it is there already and is not what was installed", "Move it away.")
    draft.change(path, data, file.data, file.mode)
    clients = {*(known.clients if known is not None else ()), draft.client}
    sha = known.sha if known is not None and not known.sha and data is not None else file_sha(file.data)
    return OwnedFile(str(path), sha, tuple(sorted(clients)))


def _released(draft: _Draft, path: Path, known: OwnedFile) -> OwnedFile | None:
    """A file this client does not want (any more): it goes when no other does."""
    if draft.client not in known.clients:
        return known
    others = tuple(client for client in known.clients if client != draft.client)
    if others:
        draft.tell("keep", path, why=f"still needed by {', '.join(others)}")
        return replace(known, clients=others)
    data = live.read(path)
    if data is None:
        return None
    if not path.is_relative_to(draft.state) and file_sha(data) != known.sha:
        told = "it was there before" if not known.sha else _EDITED
        draft.tell("keep", path, why=told)
        return None
    draft.tell("remove", path)
    draft.change(path, data, None, 0)
    return None


def _folders(draft: _Draft, paths: list[str]) -> Iterator[OwnedFolder]:
    """The folders that were or are made for `paths`; who comes later to one shares it."""
    made = dict.fromkeys([*(each.path for each in draft.before.folders), *draft.make])
    for folder in made:
        if any(Path(path).is_relative_to(folder) for path in paths):
            yield OwnedFolder(folder)


def _sha(data: bytes | None) -> str | None:
    return None if data is None else file_sha(data)
