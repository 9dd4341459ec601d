"""init writes a starter that runs, and never over anything; workflows and validate show it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from durajob.catalogue import Workflows
from durajob.commands.init import STARTER, init
from durajob.commands.validate import validate
from durajob.commands.workflows import workflows
from durajob.config.settings import load_settings
from durajob.errors import ConfigError, NotFound, UnsafePermissions, WorkflowNotFound


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What loading sets in the environment, and imports from the folder, is undone."""
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", "true")
    path, modules = sys.path[:], set(sys.modules)
    yield
    sys.path[:] = path
    assert [] == [m for m in set(sys.modules) - modules if m.startswith("durajob_target_")]


def _validate(*names: str) -> Workflows:
    return validate(settings=load_settings(None, None), names=names)


def test_what_init_writes_is_valid_and_found(tmp_path: Path) -> None:
    """The starter is there, is listed, and loads with its steps."""
    made = init(Path())
    assert (("hello.py", "workflows.toml"), "durajob start hello") == (
        made.created, made.next_command,
    )  # fmt: skip
    listed = workflows(settings=load_settings(None, None))
    assert ("hello", str(tmp_path / "workflows.toml")) == (listed.workflows[0].name, listed.file)
    (hello,) = _validate().workflows
    assert (None, ("invite", "greet", "post")) == (hello.problem, hello.steps)


@pytest.mark.parametrize("in_the_way", STARTER)
def test_init_overwrites_nothing_and_writes_nothing_then(tmp_path: Path, in_the_way: str) -> None:
    """Where one of the files is there, even as a dangling link, none is written."""
    (tmp_path / in_the_way).symlink_to("gone")
    with pytest.raises(ConfigError) as caught:
        init(tmp_path)
    assert caught.value.hint
    assert [in_the_way] == os.listdir(tmp_path)


def test_init_makes_the_folder_it_is_told(tmp_path: Path) -> None:
    """The next command then names the file; the umask is obeyed."""
    before = os.umask(0o027)
    try:
        made = init(tmp_path / "new folder")
    finally:
        os.umask(before)
    file = tmp_path / "new folder" / "workflows.toml"
    assert f"durajob -f '{file}' start hello" == made.next_command
    assert 0o640 == stat.S_IMODE(file.stat().st_mode)


def test_init_in_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    """A file in the place of the folder is named."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "sub"):
        with pytest.raises(NotFound, match="is no folder"):
            init(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_init_in_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    """Where nothing may be written, that is said."""
    tmp_path.chmod(0o555)
    with pytest.raises(UnsafePermissions):
        init(tmp_path)


def test_a_failure_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the second file cannot be written, the first is taken away again."""
    import resource

    whole = len((Path(init.__code__.co_filename).parent / "starter" / "hello.py").read_bytes())
    toml = (Path(init.__code__.co_filename).parent / "starter" / "workflows.toml").read_bytes()
    assert whole > len(toml)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole - 1, before[1]))
    try:
        with pytest.raises(Exception, match="File too large"):
            init(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [] == os.listdir(tmp_path)


def test_validate_reports_each_problem(tmp_path: Path) -> None:
    """Every workflow is told its own, those that the file gets wrong as well as those that do
    not load; the good ones show their steps; the exit status is 78."""
    init(Path())
    (tmp_path / "loop.py").write_text("raise ValueError('no')")
    with (tmp_path / "workflows.toml").open("a") as file:
        file.write('[workflows.bad]\ngrap = "x"\n[workflows.raises]\ngraph = "./loop.py:g"\n')
    result = _validate()
    problems = {each.name: each.problem and each.problem.code for each in result.workflows}
    assert {"hello": None, "raises": "bad_target", "bad": "bad_config"} == problems
    assert (78, "2 of 3 workflows have a problem: raises, bad") == (
        result.exit_status, result.error and result.error.message,
    )  # fmt: skip
    assert (0, 1) == (_validate("hello").exit_status, len(_validate("hello").workflows))
    assert ("1 workflow is right",) == _validate("hello").notes
    with pytest.raises(WorkflowNotFound):
        _validate("hello", "hullo")


def test_validate_without_a_file_checks_the_built_in_workflows() -> None:
    """And a target by name, from wherever."""
    result = _validate()
    assert {"built-in"} == {each.source for each in result.workflows}
    assert {None} == {each.problem for each in result.workflows}
    init(Path())
    assert ("invite", "greet", "post") == _validate("./hello.py:workflow").workflows[0].steps


def test_workflows_in_two_folders_do_not_see_each_others_modules(tmp_path: Path) -> None:
    """Each is checked as if it were alone, although one process checks both."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper_f.py").write_text(f"only_in_{name} = 1")
        (tmp_path / name / "flow.py").write_text(
            f"from helper_f import only_in_{name}\nfrom typing import TypedDict\n"
            "from langgraph.graph import START, StateGraph\n"
            "class S(TypedDict, total=False): n: int\n"
            "graph = StateGraph(S)\ngraph.add_node('one', lambda s: {})\n"
            "graph.add_edge(START, 'one')\n"
        )
    (tmp_path / "workflows.toml").write_text(
        "".join(f'[workflows.{name}]\ngraph = "./{name}/flow.py:graph"\n' for name in ("a", "b"))
    )
    assert [None, None] == [each.problem for each in _validate().workflows]


def test_a_hidden_built_in_workflow_is_noted(tmp_path: Path) -> None:
    """Whoever takes a built-in name is told so."""
    (tmp_path / "workflows.toml").write_text('[workflows.backup]\ngraph = "./f.py:g"\n')
    result = workflows(settings=load_settings(None, None))
    assert (f"backup: {tmp_path}/workflows.toml hides the built-in one",) == result.notes


def test_the_repositorys_own_file_is_valid() -> None:
    """The showcase at the top of the repository loads."""
    file = Path(__file__).parents[2] / "workflows.toml"
    result = validate(settings=load_settings(str(file), None))
    assert {None} == {each.problem for each in result.workflows}
