"""Names to definitions, and definitions to graphs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durajob.errors import ConfigError, TargetError, WorkflowNotFound
from durajob.policies import RetryPolicy, StepPolicy
from durajob.registry import BUILT_IN, Definition, Registry
from durajob.targets import load

GRAPH = """
from typing import TypedDict
from langgraph.graph import END, START, StateGraph

class State(TypedDict, total=False):
    n: int

def one(state): return {"n": 1}
def two(state): return {"n": 2}

graph = StateGraph(State)
graph.add_sequence([one, two])
graph.add_edge(START, "one")
"""


@pytest.fixture(autouse=True)
def imports_undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imported, put on the path or set for the interpreter is gone after it."""
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", "true")
    path, modules, deepest = sys.path[:], set(sys.modules), sys.getrecursionlimit()
    yield
    sys.path[:] = path
    sys.setrecursionlimit(deepest)
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if "pytest-of" in file:
            del sys.modules[name]


def _file(text: str, name: str = "flow.py") -> Path:
    path = Path(name).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def _steps(target: str) -> tuple[str, ...]:
    return tuple(load(Registry(None).get(target)).builder.nodes)


def _refusal(target: str, *, registry: Registry | None = None) -> TargetError:
    with pytest.raises(TargetError) as caught:
        load((registry or Registry(None)).get(target))
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert 78 == caught.value.exit_status
    return caught.value


def test_the_built_in_workflows_need_no_file() -> None:
    """Their names are fixed."""
    names = {"durable", "retry", "idempotent", "timeout", "locked", "saga", "backup", "restore"}
    assert names == set(Registry(None).names())
    assert {"built-in"} == {each.source for each in Registry(None).definitions()}


def test_the_registry_says_what_the_built_in_workflows_say_of_themselves() -> None:
    """Each built-in workflow loads under its name. Its description is the registry's."""
    from importlib import import_module

    for name, definition in BUILT_IN.items():
        load(definition)
        module, _, attribute = definition.target.partition(":")
        workflow = getattr(import_module(module), attribute)
        assert (name, definition.description) == (workflow.name, workflow.description)


def test_listing_imports_neither_langgraph_nor_a_workflow() -> None:
    """`workflows` is quick, and runs nobody's code."""
    _file("raise SystemExit('imported')")
    Path("workflows.toml").write_text('[workflows.a]\ngraph = "./flow.py:graph"\n')
    script = (
        "import sys\nfrom pathlib import Path\nfrom durajob.registry import Registry\n"
        "print(len(Registry(Path('workflows.toml').absolute()).definitions()))\n"
        "print(sorted(m for m in sys.modules if m.startswith(('langgraph', 'durajob.examples'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ("9\n[]\n", "") == (done.stdout, done.stderr)


def test_a_file_may_take_the_name_of_a_built_in_workflow() -> None:
    """The workflows.toml comes first, and says so as the source."""
    file = _file('[workflows.backup]\ngraph = "./flow.py:graph"\n', "workflows.toml")
    definition = Registry(file).get("backup")
    assert (str(file), "./flow.py:graph") == (definition.source, definition.target)
    assert "backup" == Registry(file).names()[0]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("backpu", "'backup'"), ("Durable", "'durable'"), ("zzzz", "durajob workflows"),
     ("./flow.py", "./flow.py:NAME"), ("", "durajob workflows"), ("x" * 100_000, "workflows")],
)  # fmt: skip
def test_an_unknown_name_is_told_the_nearest(name: str, hint: str) -> None:
    """A slip gets the name that was meant; a file without a name gets the form of a target."""
    with pytest.raises(WorkflowNotFound) as caught:
        Registry(None).get(name)
    assert hint in (caught.value.hint or "")
    assert len(caught.value.message) < 300


def test_a_typed_target_means_the_same_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its definition carries an absolute path, and is got again by it from another folder."""
    _file(GRAPH, "a b-ü/flow.py")
    definition = Registry(None).get("./a b-ü/flow.py:graph")
    assert ("a-b", f"{tmp_path}/a b-ü/flow.py:graph") == (definition.name, definition.target)
    monkeypatch.chdir("/")
    assert definition == Registry(None).get(definition.target)
    assert ("one", "two") == tuple(load(definition).builder.nodes)


def test_a_typed_target_never_goes_by_the_name_of_another_workflow() -> None:
    """./durable.py:graph is not the built-in durable, in any list."""
    definition = Registry(None).get("./durable.py:graph")
    assert "durable.graph" == definition.name


@pytest.mark.parametrize(
    "attribute", ["graph", "compiled", "make", "Holder.inner", "make_compiled"]
)
def test_a_target_may_be_any_kind_of_graph(attribute: str) -> None:
    """A builder, a compiled graph, a function that returns one, a dotted name."""
    _file(
        GRAPH
        + """
compiled = graph.compile()
def make(): return graph
def make_compiled(verbose=False): return compiled
class Holder: inner = graph
"""
    )
    assert ("one", "two") == _steps(f"./flow.py:{attribute}")


def test_a_target_may_be_a_workflow_of_ours() -> None:
    """Its policies come with it; those of workflows.toml are laid over them."""
    _file("""
        from typing import TypedDict
        from durajob import Workflow
        class S(TypedDict, total=False):
            n: int
        flow = Workflow("flow", S)
        @flow.step(retry={"on": "OSError", "attempts": 2})
        def one(state): return {"n": 1}
        @flow.step(retry={"on": ValueError})
        def two(state): return {"n": 2}
        """)
    file = _file("""
        [workflows.mine]
        graph = "./flow.py:flow"
        [workflows.mine.steps.two]
        retry = { attempts = 9, on = ["TimeoutError", "json:JSONDecodeError"] }
        """, "workflows.toml")  # fmt: skip
    policies = load(Registry(file).get("mine")).policies
    one, two = policies["one"].retry, policies["two"].retry
    assert one is not None
    assert two is not None
    assert (2, (OSError,)) == (one.attempts, one.on)
    assert (9, (TimeoutError, json.JSONDecodeError)) == (two.attempts, two.on)


@pytest.mark.parametrize(
    ("text", "attribute", "said"),
    [
        ("graph = 1", "graph", "it is no graph but of type int"),
        ("class graph: pass", "graph", "it is no graph but the class graph"),
        ("def graph(): return 1", "graph", "what it returns is no graph but of type int"),
        ("def graph(): return graph", "graph", "what it returns is no graph"),
        ("def graph(a, *, b): ...", "graph", "the function needs arguments: (a, *, b)"),
        ("async def graph(): ...", "graph", "it is an async function"),
        ("async def a(): ...\ndef graph(): return a()", "graph", "it is an async function"),
        ("def graph(): yield", "graph", "what it returns is no graph but of type generator"),
        ("def graph():\n    raise KeyError('k')", "graph", "flow.py:2: KeyError: 'k'"),
        ("import json\njson.loads('{')", "graph", "flow.py:2: JSONDecodeError: Expecting"),
        ("x = 1\nraise ValueError('a\\nb')", "graph", "flow.py:2: ValueError: a b"),
        ("class E(Exception):\n    def __str__(self): 1/0\nraise E", "graph", "flow.py:3: E: (it"),
        ("import sys\nsys.exit(3)", "graph", "flow.py:2: exits while it is imported (exit"),
        ("def graph(:", "graph", "flow.py:1: SyntaxError"),
        ("import no_such_thing", "graph", "flow.py:1: ModuleNotFoundError: No module named"),
        ("from . import x", "graph", "flow.py:1: ImportError: attempted relative import"),
        ("import sys\nsys.setrecursionlimit(10**4)\ndef f(): f()\nf()", "graph", "RecursionError"),
        ("garph = 1", "graph", "there is no 'graph' in it"),
        ("def __getattr__(name): raise OSError(name)", "graph", "flow.py:1: OSError: graph"),
        (GRAPH + "g = graph.compile(interrupt_before=['one'])", "g", "interrupt_before"),
        (GRAPH + "from langgraph.store.memory import InMemoryStore\n"
         "g = graph.compile(store=InMemoryStore())", "g", "compiled with a store"),
        (GRAPH + "graph.add_edge('two', 'nowhere')", "graph", "is no whole graph"),
        (GRAPH + "graph = StateGraph(State)", "graph", "is no whole graph"),
        ("from durajob import Workflow\ngraph = Workflow('x', dict)", "graph", ""),
        ("\x00", "graph", ""),
    ],
)  # fmt: skip
def test_a_target_that_is_no_workflow_is_refused(text: str, attribute: str, said: str) -> None:
    """One clear line that names the target, the user's own line and the way out."""
    path = _file(text)
    error = _refusal(f"./flow.py:{attribute}")
    assert error.message.startswith(f"{path}:{attribute}: ")
    assert said in error.message
    assert "durajob_target_" not in error.message


def test_a_missing_file_is_told_its_neighbour() -> None:
    """The nearest file of that folder is the hint."""
    _file(GRAPH)
    Path("folder.py").mkdir()
    assert "did you mean flow.py?" == _refusal("./flwo.py:graph").hint
    assert "is a folder" in _refusal("./folder.py:graph").message
    assert "did you mean 'graph'?" == _refusal("./flow.py:grpah").hint


def test_a_module_is_never_taken_from_the_current_folder() -> None:
    """package.module:name is what is installed, or lies beside the workflows.toml."""
    _file(GRAPH, "beside/mypackage_a/flow.py")
    registry = Registry(_file("", "beside/workflows.toml"))
    assert ("one", "two") == tuple(load(registry.get("mypackage_a.flow:graph")).builder.nodes)
    _file("raise SystemExit('imported by accident')", "mymodule_b.py")
    error = _refusal("mymodule_b:graph")
    assert "there is no module 'mymodule_b'" in error.message
    assert "./mymodule_b.py:graph" in (error.hint or "")


def test_a_file_may_import_its_neighbours_also_later() -> None:
    """A file's folder stays importable: steps import as well."""
    _file("value = 1", "flows/neighbour_c.py")
    _file("def late():\n    import neighbour_d\n    return neighbour_d", "flows/helper_c.py")
    _file("", "flows/neighbour_d.py")
    _file("import neighbour_c, helper_c\n" + GRAPH + "graph.late = helper_c.late", "flows/flow.py")
    assert load(Registry(None).get("flows/flow.py:graph")).builder.late()  # type: ignore[attr-defined]


def test_a_fix_is_seen_at_once() -> None:
    """No compiled file is kept: a second run in the same second sees what was changed."""
    path = _file(GRAPH + "graph.x = 1")
    stamp = path.stat()
    ask = "from durajob.registry import Registry; from durajob.targets import load\n"
    ask += "d = Registry(None).get('./flow.py:graph')\n"
    ask += "print(load(d).builder.x)"
    said = []
    for number in (1, 2):
        path.write_text(GRAPH + f"graph.x = {number}")
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
        said.append(done.stdout + done.stderr)
    assert ["1\n", "2\n"] == said
    assert not Path("__pycache__").exists()


_NOISY = """
import atexit, os, sys, io, subprocess, threading
print("from Python")
os.write(1, b"from the system\\n")
subprocess.run(["echo", "from a program"])
threading.Thread(target=print, args=("from a thread",)).start()
os.chdir("/")
sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="ascii")
print("from a wrapper")
sys.stderr = None
"""


def test_what_an_import_prints_or_changes_does_no_harm() -> None:
    """stdout stays clean, streams and working folder are as before."""
    _file(_NOISY + GRAPH)
    script = (
        "import gc, os, sys\nfrom durajob.registry import Registry\n"
        "from durajob.targets import load\nbefore = sys.stdout, os.getcwd()\n"
        "load(Registry(None).get('./flow.py:graph'))\ngc.collect()\n"
        "assert before == (sys.stdout, os.getcwd())\nprint('answer')\n"
        "print('said', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (0, "answer\n") == (done.returncode, done.stdout), done.stderr
    for each in ("Python", "the system", "a program", "a thread", "a wrapper"):
        assert f"from {each}\n" in done.stderr
    assert done.stderr.endswith("said\n")


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_a_target_loads_with_standard_streams_closed(closed: str) -> None:
    """A job started without any output still starts."""
    _file(GRAPH + "print('x')")
    script = "from durajob.registry import Registry; from durajob.targets import load; "
    script += "load(Registry(None).get('./flow.py:graph'))"
    done = subprocess.run(f'"{sys.executable}" -c "{script}" {closed}', shell=True)
    assert 0 == done.returncode


_STORED = """
import sys
from durajob.registry import Registry
from durajob.targets import load
from langgraph.checkpoint.sqlite import SqliteSaver
loaded = load(Registry(None).get(sys.argv[1]))
with SqliteSaver.from_conn_string("values.db") as saver:
    graph = loaded.builder.compile(checkpointer=saver)
    config = {"configurable": {"thread_id": "1"}}
    if len(sys.argv) > 2:
        graph.invoke({}, config)
    value = graph.get_state(config).values["order"]
    module = sys.modules[type(value).__module__]
    print(type(value).__qualname__, value.number, type(value) is module.Order)
"""


def test_values_of_a_files_own_class_come_back_in_another_process(tmp_path: Path) -> None:
    """A value stored by one process has the same class in the next, from whatever folder."""
    _file("""
        from dataclasses import dataclass
        from typing import TypedDict
        from langgraph.graph import START, StateGraph
        @dataclass
        class Order:
            number: int
        class State(TypedDict, total=False):
            order: Order
        graph = StateGraph(State)
        graph.add_node("make", lambda state: {"order": Order(7)})
        graph.add_edge(START, "make")
        """, "flows/my flow.py")  # fmt: skip
    said = []
    for arguments in (["./flows/my flow.py:graph", "run"], [f"{tmp_path}/flows/my flow.py:graph"]):
        done = subprocess.run(
            [sys.executable, "-c", _STORED, *arguments], capture_output=True, text=True
        )
        said.append(done.stdout + done.stderr)
    assert ["Order 7 True\n"] * 2 == said


def _definition(**given: Any) -> Definition:
    _file(GRAPH)
    return Registry(None).get("./flow.py:graph")._replace(**given)


def test_a_policy_for_a_step_that_is_not_there_is_refused() -> None:
    """The nearest step of the graph is the hint."""
    with pytest.raises(ConfigError, match="no step 'noe'") as caught:
        load(_definition(policies={"noe": StepPolicy()}))
    assert "did you mean 'one'?" == caught.value.hint


@pytest.mark.parametrize(
    ("on", "said"),
    [("ConectionError", "is no exception class"), ("print", "is no exception class"),
     ("KeyboardInterrupt", "is no exception class"), ("math:pi", "is no exception class"),
     ("json:Nothing", "does not load"), ("no_such_module_e:E", "does not load")],
)  # fmt: skip
def test_what_to_retry_on_must_be_an_exception(on: str, said: str) -> None:
    """A name that leads nowhere is found when the workflow loads, not when the step fails."""
    policy = StepPolicy(retry=RetryPolicy(on=(on,)))
    with pytest.raises(ConfigError, match=said) as caught:
        load(_definition(policies={"one": policy}))
    assert caught.value.hint


def test_what_to_retry_on_may_stand_in_a_file_of_the_user() -> None:
    """The class is the very one that the workflow's file raises."""
    _file(GRAPH + "class Throttled(Exception): pass")
    file = _file("""
        [workflows.a]
        graph = "./flow.py:graph"
        [workflows.a.steps.one]
        retry = { on = "./flow.py:Throttled" }
        """, "workflows.toml")  # fmt: skip
    loaded = load(Registry(file).get("a"))
    retry = loaded.policies["one"].retry
    assert retry is not None
    (throttled,) = retry.on
    loaded_as = next(name for name in sys.modules if name.startswith("durajob_target_flow_"))
    module = sys.modules[loaded_as]
    assert throttled.__name__ == "Throttled"  # type: ignore[union-attr]  # resolved: a class
    assert throttled is module.Throttled
