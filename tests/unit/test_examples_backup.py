"""backup and restore under LangGraph alone: hard trees come back as they were."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durajob.examples import backup, manifest, objects, restore
from durajob.examples.tree import Entry, decode, encode, open_top, parts_of


def run(module: Any, **input: Any) -> Any:
    """The state at the end of the module's workflow."""
    return module.workflow.graph().compile().invoke(input)


def listing(top: Path) -> dict[bytes, tuple[Any, ...]]:
    """All that a restore must bring back of a tree."""
    found: dict[bytes, tuple[Any, ...]] = {}
    for folder, folders, files in os.walk(os.fsencode(top)):
        for name in [b"", *folders, *files]:
            path = os.path.join(folder, name)
            about = os.lstat(path)
            held: Any = None
            if stat.S_ISLNK(about.st_mode):
                held = os.readlink(path)
            elif stat.S_ISREG(about.st_mode):
                held = hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest()
            found[os.path.relpath(path, os.fsencode(top))] = (
                oct(about.st_mode),
                about.st_uid,
                about.st_gid,
                about.st_mtime_ns,
                held,
            )
    return found


def make(path: Path, data: bytes = b"data", mode: int = 0o644) -> Path:
    """A file with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with what is hard to copy."""
    top = tmp_path / "source"
    make(top / "plain.txt")
    make(top / "same.txt")
    make(top / "empty", b"")
    make(top / "large", os.urandom(3 * objects.PIECE + 17))
    make(top / "new\nline and % and ✓")
    make(top / "setuid", mode=0o4755)
    make(top / "sticky/bits", mode=0o2640)
    make(Path(os.fsdecode(os.fsencode(top) + b"/not-\xff-utf8/\xc3(")))
    make(top / "closed/inside").parent.chmod(0o555)
    (top / "hollow").mkdir(mode=0o700)
    (top / "to-nowhere").symlink_to("no/such\nplace")
    (top / "to-folder").symlink_to("closed")
    (top / "to-bytes").symlink_to(os.fsdecode(b"\xfe\xff"))
    with (top / "sparse").open("wb") as file:
        file.truncate(64 * 1024 * 1024)
        file.seek(32 * 1024 * 1024)
        file.write(b"middle")
    for number, name in enumerate(("plain.txt", "empty", "hollow", "closed", ".")):
        os.utime(top / name, ns=(1, 1_600_000_000_123_456_789 + number))
    os.utime(top / "to-nowhere", ns=(1, 987_654_321), follow_symlinks=False)
    os.lchown(top / "to-nowhere", os.getuid(), os.getgid())
    return top


def test_what_comes_back_is_identical(tree: Path, tmp_path: Path) -> None:
    """Names, contents, modes, owners, times and links of a hard tree."""
    summary = run(backup, source=str(tree), target="kept")["summary"]
    assert (0, 4) == (summary["problems"], summary["links"] + 1)
    state = run(restore, target="kept", to="back")
    assert listing(tree) == listing(tmp_path / "back")
    assert summary["files"] == state["summary"]["files"]


def test_holes_stay_holes(tree: Path, tmp_path: Path) -> None:
    """A sparse file takes no more room in the backup, nor when it is back."""
    run(backup, source=str(tree), target="kept")
    run(restore, target="kept", to="back")
    room = sum(path.stat().st_blocks * 512 for path in (tmp_path / "kept").rglob("*"))
    assert room < 16 * 1024 * 1024
    assert (tmp_path / "back/sparse").stat().st_blocks * 512 < 1024 * 1024


def test_the_manifest_says_nothing_of_when_or_where(tree: Path, tmp_path: Path) -> None:
    """Two backups of one tree have the same manifest, byte by byte, and the same objects."""
    for target in ("one", "two"):
        run(backup, source=str(tree), target=target)
    one, two = tmp_path / "one", tmp_path / "two"
    assert (one / "manifest.jsonl").read_bytes() == (two / "manifest.jsonl").read_bytes()
    assert sorted(p.relative_to(one) for p in one.rglob("*")) == sorted(
        p.relative_to(two) for p in two.rglob("*")
    )


def test_a_second_backup_copies_only_what_is_new(tree: Path, tmp_path: Path) -> None:
    """What is there already is left alone, and an older manifest can be kept."""
    run(backup, source=str(tree), target="kept")
    before = {p: p.stat().st_ino for p in (tmp_path / "kept/objects").rglob("*") if p.is_file()}
    make(tree / "new", b"something new")
    run(backup, source=str(tree), target="kept", manifest="second.jsonl")
    after = {p: p.stat().st_ino for p in (tmp_path / "kept/objects").rglob("*") if p.is_file()}
    assert before == {path: after[path] for path in before}
    assert 1 == len(after) - len(before)
    run(restore, target="kept", to="back")
    assert not (tmp_path / "back/new").exists()


def test_what_is_no_file_is_listed_and_skipped(tmp_path: Path) -> None:
    """Pipes and sockets are named with their kind; a pipe does not hold the backup up."""
    source = make(tmp_path / "source/file").parent
    os.mkfifo(source / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("source/socket")
        summary = run(backup, source="source", target="kept")["summary"]
    assert 2 == summary["skipped"]
    entries = manifest.load((tmp_path / "kept/manifest.jsonl").read_bytes())
    kinds = {entry["path"]: entry["kind"] for entry in entries if entry["type"] == "skipped"}
    assert {"pipe": "pipe", "socket": "socket"} == kinds


def test_a_target_inside_the_source_is_left_out(tmp_path: Path) -> None:
    """A backup never backs itself up."""
    make(tmp_path / "source/file")
    for _ in range(2):
        assert 1 == run(backup, source="source", target="source/kept")["summary"]["files"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"source": "source"}, "'target' is missing"),
        ({"target": "kept"}, "'source' is missing"),
        ({"source": "none", "target": "kept"}, "is not a folder"),
        ({"source": "source/file", "target": "kept"}, "is not a folder"),
        ({"source": "source", "target": "source"}, "lies in target"),
        ({"source": "source", "target": "."}, "lies in target"),
        ({"source": "source", "target": "kept", "manifest": "a/b"}, "not a plain file name"),
        ({"source": "source", "target": "kept", "manifest": "objects"}, "not a plain file name"),
        ({"source": "source", "target": "kept", "allow_unreadable": "maybe"}, "not true or false"),
    ],
)
def test_input_that_makes_no_sense_is_refused(
    tmp_path: Path, asked: dict[str, str], said: str
) -> None:
    """Before anything is written."""
    make(tmp_path / "source/file")
    with pytest.raises((ValueError, OSError), match=said):
        run(backup, **asked)
    assert ["source"] == [path.name for path in tmp_path.iterdir()]


def test_a_file_that_vanishes_is_listed_and_the_rest_backed_up(tmp_path: Path) -> None:
    """Gone between scan and copy: the manifest says so, and the last step fails."""
    for name in ("a", "b", "c"):
        make(tmp_path / "source" / name)
    scanned = backup.scan({"source": "source", "target": "kept"})
    (tmp_path / "source/b").unlink()
    state: Any = {**scanned, "copied": [backup.copy(some, scanned) for some in scanned["files"]]}
    state |= backup.index(state)
    for some in state["objects"]:
        backup.verify(some, state)
    state |= backup.write_manifest(state)
    with pytest.raises(backup.BackupIncomplete, match=r"1 of the files .*b: ENOENT"):
        backup.report(state)
    backup.report(state | {"allow_unreadable": "true"})
    entries = manifest.load((tmp_path / "kept/manifest.jsonl").read_bytes())
    assert {"a": True, "b": False, "c": True} == {
        entry["path"]: "sha256" in entry for entry in entries if entry["type"] == "file"
    }


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become someone who may not read")
def test_what_may_not_be_read_is_listed_and_the_rest_backed_up(tmp_path: Path) -> None:
    """Files and folders of someone else, for a user who is not root."""
    for name in ("open", "closed", "folder/inside"):
        make(tmp_path / "source" / name)
    (tmp_path / "source/closed").chmod(0o600)
    (tmp_path / "source/folder").chmod(0o700)
    (tmp_path / "kept").mkdir()
    os.chown(tmp_path / "kept", 65534, 65534)
    # Imported by root, who may read the code; then nobody backs up, through an open folder.
    code = (
        "import json, os\n"
        "from durajob.examples import backup, objects\n"
        "from durajob.examples.tree import open_top, walk\n"
        "top = os.open('source', os.O_RDONLY); os.chdir('kept')\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "objects.prepare(b'.')\n"
        "found = sorted(walk(top, leave_out=(0, 0)), key=lambda entry: entry['path'])\n"
        "print(json.dumps([[e['path'], e.get('error')] for e in found]))\n"
        "kept = [backup.back_up(top, name, b'.') for name in ('closed', 'open')]\n"
        "print(json.dumps([e.get('error') for e in kept]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    found, kept = map(json.loads, done.stdout.splitlines())
    assert [[".", None], ["closed", None], ["folder", "EACCES"], ["open", None]] == found
    assert ["EACCES", None] == kept


def test_a_file_that_changes_while_it_is_copied_is_copied_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy that counts is of a file that stood still."""
    path = make(tmp_path / "source/file", b"one")
    changes = iter([b"two!", b"three"])

    def report(count: int) -> None:
        if more := next(changes, None):
            path.write_bytes(more)

    monkeypatch.setattr(backup, "_reporter", lambda path, size: report)
    entry = back_up(tmp_path, "file")
    assert (5, hashlib.sha256(b"three").hexdigest(), None) == (
        entry["size"],
        entry["sha256"],
        entry.get("changed"),
    )


def test_a_file_that_never_stands_still_is_kept_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a log: the last copy is better than none, and counts as a problem."""
    path = make(tmp_path / "source/file", b"line\n")

    def report(count: int) -> None:
        with path.open("ab") as file:
            file.write(b"line\n")

    monkeypatch.setattr(backup, "_reporter", lambda path, size: report)
    entry = back_up(tmp_path, "file")
    assert entry["changed"] is True
    assert objects.is_whole(os.fsencode(tmp_path / "kept"), entry["sha256"], entry["size"])
    assert ["file: changed while it was copied"] == manifest.problems([entry])


def back_up(folder: Path, path: str) -> Entry:
    """One file of ``source``, kept in ``kept``."""
    store = os.fsencode(folder / "kept")
    objects.prepare(store)
    with open_top(os.fsencode(folder / "source")) as top:
        return backup.back_up(top, path, store)


def test_a_file_swapped_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    """Neither a file nor a folder on the way is followed once it is a link."""
    make(tmp_path / "secret/file")
    make(tmp_path / "source/other")
    (tmp_path / "source/file").symlink_to("../secret/file")
    (tmp_path / "source/folder").symlink_to("../secret")
    assert "ELOOP" == back_up(tmp_path, "file").get("error")
    assert back_up(tmp_path, "folder/file").get("error") in ("ELOOP", "ENOTDIR")


def test_a_damaged_object_is_made_again(tmp_path: Path) -> None:
    """Verifying finds it, and as long as the file is the same, puts it right."""
    make(tmp_path / "source/file", b"content")
    run(backup, source="source", target="kept")
    (kept,) = [path for path in (tmp_path / "kept/objects").rglob("*") if path.is_file()]
    kept.write_bytes(b"CONTENT")
    run(backup, source="source", target="kept")
    assert b"content" == kept.read_bytes()


def test_a_damaged_object_is_not_restored(tmp_path: Path) -> None:
    """The file that cannot be had back is named."""
    make(tmp_path / "source/file", b"content")
    run(backup, source="source", target="kept")
    (kept,) = [path for path in (tmp_path / "kept/objects").rglob("*") if path.is_file()]
    kept.write_bytes(b"CONTENT")
    with pytest.raises(OSError, match="damaged: 'file'"):
        run(restore, target="kept", to="back")


def test_what_a_crash_left_half_written_is_swept(tmp_path: Path) -> None:
    """The next backup that ends removes it; one under way keeps its own."""
    make(tmp_path / "source/file")
    store = os.fsencode(tmp_path / "kept")
    objects.prepare(store)
    make(tmp_path / "kept/partial/left-over")
    with objects.partial(store) as (_, name):
        objects.sweep(store)
        assert os.path.exists(name)
    run(backup, source="source", target="kept")
    assert [] == list((tmp_path / "kept/partial").iterdir())


def test_a_tree_deeper_than_the_longest_path_comes_back(tmp_path: Path) -> None:
    """4096 bytes is the longest path of the system, not of a tree."""
    name, depth = b"d" * 200, 30

    def deepest(top: Path) -> int:
        descriptor = os.open(top, os.O_RDONLY)
        for _ in range(depth):
            below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        return descriptor

    (tmp_path / "source").mkdir()
    descriptor = os.open("source", os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    with os.fdopen(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor), "w") as file:
        file.write("deep")
    os.close(descriptor)
    assert 1 == run(backup, source="source", target="kept")["summary"]["files"]
    run(restore, target="kept", to="back")
    descriptor = deepest(tmp_path / "back")
    with os.fdopen(os.open("file", os.O_RDONLY, dir_fd=descriptor)) as file:
        assert "deep" == file.read()
    os.close(descriptor)


def test_a_restore_into_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    """Nothing is ever overwritten."""
    make(tmp_path / "source/file")
    run(backup, source="source", target="kept")
    make(tmp_path / "back/mine")
    with pytest.raises(OSError, match="not empty"):
        run(restore, target="kept", to="back")


def test_each_step_of_a_restore_may_run_again(tree: Path, tmp_path: Path) -> None:
    """A step in flight at a crash runs again; what comes back is the same."""
    run(backup, source=str(tree), target="kept")
    state: Any = restore.read_manifest({"target": "kept", "to": "back"})
    for _ in range(2):
        restore.make_folders(state)
    for some in state["files"]:
        for _ in range(2):
            restore.write_files(some, state)
    for _ in range(2):
        restore.make_links(state)
    for _ in range(2):
        restore.settle_folders(state)
    assert listing(tree) == listing(tmp_path / "back")


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", "a//b", "a/./b", "a%00b"])
def test_a_manifest_that_leads_out_of_the_tree_is_refused(path: str) -> None:
    """Manifests may come from anywhere."""
    with pytest.raises(ValueError, match="not a path within the tree"):
        manifest.load(manifest_of({"type": "link", "path": path}))


def manifest_of(entry: dict[str, Any]) -> bytes:
    """A manifest with one entry, whatever it is."""
    head = {"format": manifest.FORMAT, "version": 1, "source": "x", "entries": 1}
    return f"{json.dumps(head)}\n{json.dumps(entry)}\n".encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no manifest"),
        (b"[]\n", "no manifest"),
        (b"\xff\n", "no manifest"),
        (manifest_of({"type": "link"}), "no manifest"),
        (manifest_of({"path": "a"})[:-14], "0 of 1 entries"),
        (manifest_of({"path": "a"}).replace(b'"version": 1', b'"version": 2'), "not of version 1"),
    ],
)
def test_what_is_no_whole_manifest_is_refused(data: bytes, said: str) -> None:
    """A manifest of a newer version, or one cut short, is not restored in part."""
    with pytest.raises(ValueError, match=said):
        manifest.load(data)


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_every_name_survives_as_one_line_of_text(name: bytes) -> None:
    """Encoding is reversible, printable, and valid UTF-8."""
    text = encode(name)
    assert name == decode(text)
    assert text.isprintable()
    text.encode()


def test_readable_names_stay_readable() -> None:
    """Only what cannot be shown is escaped."""
    assert "Fotos/Grüße ✓ & more" == encode("Fotos/Grüße ✓ & more".encode())
    assert ("100%25", "a%0Ab", "%FF") == (encode(b"100%"), encode(b"a\nb"), encode(b"\xff"))
    assert (b"a%", b"\xff") == parts_of("a%25/%FF")


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 95])
def test_no_more_branches_than_are_sane(count: int) -> None:
    """Beyond the limit, files share branches, in order and with none lost."""
    shared = backup.shared_out(list(range(count)), 10)
    assert list(range(count)) == [item for some in shared for item in some]
    assert len(shared) <= 10
