"""Which workflows.toml and which store a command works with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from durajob.config.settings import load_settings
from durajob.errors import ConfigError, DurajobError, UnsafePermissions, UsageError


def _write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_option_names_the_file_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-f comes before DURAJOB_FILE, and that before what lies in the folder."""
    near = _write(tmp_path / "workflows.toml")
    named, meant = _write(tmp_path / "a.toml"), _write(tmp_path / "b.toml")
    assert near == load_settings(None, None).file
    monkeypatch.setenv("DURAJOB_FILE", str(named))
    assert named == load_settings(None, None).file
    assert meant == load_settings("b.toml", None).file


def test_the_nearest_file_above_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any command run in a folder below finds the workflows.toml above it, and its store."""
    file = _write(tmp_path / "workflows.toml")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    settings = load_settings(None, None)
    assert (file, tmp_path / ".durajob" / "durajob.db") == (settings.file, settings.store.path)


def test_the_users_own_file_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no file in or above the folder, the one in the configuration folder is taken."""
    usual = _write(Path(os.environ["HOME"]) / ".config" / "durajob" / "workflows.toml")
    assert usual == load_settings(None, None).file
    moved = _write(tmp_path / "xdg" / "durajob" / "workflows.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert moved == load_settings(None, None).file


def test_without_any_file_the_store_is_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No workflows.toml is fine: the store is the user's. A relative XDG folder is ignored."""
    usual = Path(os.environ["HOME"]) / ".local" / "share" / "durajob" / "durajob.db"
    assert (None, usual) == (load_settings(None, None).file, load_settings(None, None).store.path)
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert usual == load_settings(None, None).store.path
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert tmp_path / "durajob" / "durajob.db" == load_settings(None, None).store.path


def test_a_named_file_that_is_missing_is_refused() -> None:
    """A file named by hand must be there: nothing else is taken in its stead."""
    with pytest.raises(ConfigError, match="there is no such file") as caught:
        load_settings("gone.toml", None)
    assert 78 == caught.value.exit_status


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
        ("sqlite:////var/lib/x.db", "/var/lib/x.db"),
        ("sqlite:/var/lib/x.db", "/var/lib/x.db"),
        ("/var/lib/x.db", "/var/lib/x.db"),
        ("sqlite:sub/x.db", "{folder}/sub/x.db"),
        ("sub/x.db", "{folder}/sub/x.db"),
        ("./odd:name.db", "{folder}/odd:name.db"),
        ("with space ü.db", "{folder}/with space ü.db"),
        ("~/x.db", "{home}/x.db"),
    ],
)
def test_a_store_has_few_forms(tmp_path: Path, said: str, path: str) -> None:
    """A relative store is taken from the folder of the file, or from here when typed."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "workflows.toml").write_text(f'[store]\nurl = "{said}"\n')
    home = os.environ["HOME"]
    in_file = load_settings("etc/workflows.toml", None).store
    assert path.format(folder=tmp_path / "etc", home=home) == str(in_file.path)
    typed = load_settings("etc/workflows.toml", said).store
    assert path.format(folder=tmp_path, home=home) == str(typed.path)
    assert typed == load_settings(None, typed.url).store


@pytest.mark.parametrize(
    "said",
    ["postgresql://u:secret@h/db", "mysql://u:secret@h/db", "sqlite://x.db", "sqlite:", "sqlite://",
     "sqlite:///", "", ".", "..", "folder/", ":memory:", "sqlite:x.db?mode=ro", "C:\\x.db"],
)  # fmt: skip
def test_any_other_store_is_refused(
    tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no store is refused: as usage when typed, with its line when written in the file.
    A password in it is not shown."""
    with pytest.raises(UsageError) as typed:
        load_settings(None, said)
    (tmp_path / "workflows.toml").write_text(f"[store]\nurl = '{said}'\n")
    with pytest.raises(ConfigError, match=r"workflows\.toml:2: store\.url: ") as written:
        load_settings(None, None)
    for caught in (typed, written):
        assert "secret" not in caught.value.message
        assert caught.value.hint


def test_the_store_variable_comes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--store, DURAJOB_STORE, the file: in this order; an empty variable says nothing."""
    _write(tmp_path / "workflows.toml", '[store]\nurl = "file.db"\n')
    monkeypatch.setenv("DURAJOB_STORE", "")
    assert tmp_path / "file.db" == load_settings(None, None).store.path
    monkeypatch.setenv("DURAJOB_STORE", "variable.db")
    assert tmp_path / "variable.db" == load_settings(None, None).store.path
    assert tmp_path / "option.db" == load_settings(None, "option.db").store.path


@pytest.mark.parametrize("slip", ["[stor]\n", "[store]\nulr = 'x.db'\n", "[store]\nurl = 1\n"])
def test_a_slip_about_the_store_is_never_passed_over(tmp_path: Path, slip: str) -> None:
    """A mistyped [store] would silently be another store, so even a read refuses it."""
    _write(tmp_path / "workflows.toml", slip)
    with pytest.raises(ConfigError, match=r"workflows\.toml:[12]: "):
        load_settings(None, None)


def _folder(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("gone"))


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100_000_000)


def _latin1(path: Path) -> None:
    path.write_bytes(b"version = 1\n# caf\xe9\n")


def _deep(path: Path) -> None:
    path.write_text("a = " + "[" * 100_000)


def _long_number(path: Path) -> None:
    path.write_text("version = " + "1" * 5000)


def _malformed(path: Path) -> None:
    path.write_text("version = 1\n[store\n")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_folder, "is a folder"),
        (_loop, "cannot be read"),
        (_dangling, "symbolic link to nothing"),
        (_pipe, "not a regular file"),
        (_huge, "larger than 1024 KiB"),
        (_latin1, "workflows.toml:2: is not UTF-8"),
        (_deep, "nested too deeply"),
        (_long_number, "is not TOML"),
        (_malformed, "workflows.toml:2: is not TOML"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, make: object, said: str) -> None:
    """Whatever stands in the place of workflows.toml, there is one clear line and a hint."""
    make(tmp_path / "workflows.toml")  # type: ignore[operator]  # a function from above
    with pytest.raises(ConfigError) as caught:
        load_settings(None, None)
    assert said in caught.value.message
    assert caught.value.hint


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Some editors begin a file with one."""
    (tmp_path / "workflows.toml").write_bytes(b"\xef\xbb\xbf[store]\r\nurl = 'x.db'\r\n")
    assert tmp_path / "x.db" == load_settings(None, None).store.path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file someone else's")
def test_a_file_planted_in_a_shared_folder_is_refused(tmp_path: Path) -> None:
    """Another user's workflows.toml in a folder like /tmp is not found, unless it is named."""
    tmp_path.chmod(0o1777)
    file = _write(tmp_path / "workflows.toml")
    os.chown(file, 12345, -1)
    with pytest.raises(UnsafePermissions):
        load_settings(None, None)
    assert file == load_settings(str(file), None).file


_ASK = """
import os, shutil, sys
from durajob.config.settings import load_settings
from durajob.errors import DurajobError
if {gone}:
    os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
try:
    print(load_settings(None, {store!r}).store.path)
except DurajobError as error:
    print(type(error).__name__, error.hint is not None)
slow = {{"msgspec", "langgraph", "difflib", "pydantic", "rich", "typing_extensions"}}
print(sorted(slow & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("gone", "store", "said"),
    [(True, None, "{home}/.local/share/durajob/durajob.db"), (True, "x.db", "UsageError True"),
     (True, "/x.db", "/x.db"), (False, None, "{home}/.local/share/durajob/durajob.db")],
)  # fmt: skip
def test_a_deleted_folder_and_no_home_are_no_traceback(
    tmp_path: Path, gone: bool, store: str | None, said: str
) -> None:
    """Without HOME the user database is asked; without a folder only what needs it is refused.
    Nothing slow is imported to find out."""
    import pwd

    environment = {key: value for key, value in os.environ.items() if key != "HOME"}
    done = subprocess.run(
        [sys.executable, "-c", _ASK.format(gone=gone, store=store)],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=True,
    )  # fmt: skip
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert [said.format(home=home.rstrip("/")), "[]"] == done.stdout.splitlines()


def test_every_refusal_is_one_of_ours(tmp_path: Path) -> None:
    """A zero byte in a path is refused like anything else."""
    for file, store in (("a\0b", None), (None, "a\0b"), ("", None)):
        with pytest.raises(DurajobError):
            load_settings(file, store)
