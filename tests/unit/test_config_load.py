"""workflows.toml decoded: what is right becomes typed specs, what is wrong names its line."""

from __future__ import annotations

import contextlib
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from durajob.config.load import check_config, load_config
from durajob.config.toml import find_line
from durajob.errors import ConfigError, DurajobError
from durajob.registry import Registry

WHOLE = """
version = 1
[store]
url = "sqlite:x.db"
[defaults]
max_resumes = 7
max_crashes = 5
max_running = 4
timeout = "2h"
on_busy = "skip"
concurrency = 9
retry = { attempts = 4, wait = "2s", factor = 3, max_wait = "5m", jitter = false }

[workflows.invoices]
graph = "./billing/graph.py:graph"
description = "sends them"
thread = "invoices-{slot:%Y-%m-%d}"
input = { region = "no", deep = { list = [1, 2.5, true] } }
on_change = "accept"
on_busy = "wait"
timeout = "1h30m"
concurrency = 2
max_resumes = 0
max_crashes = 2
[workflows.invoices.steps.charge]
retry = { attempts = 5, on = ["ConnectionError", "billing.errors:Throttled"] }
[workflows.plain]
graph = "pkg.mod:graph"
"""


def test_what_the_file_says_reaches_the_definition(tmp_path: Path) -> None:
    """Every key has its effect, and [defaults] stand under what a workflow says itself."""
    file = tmp_path / "workflows.toml"
    file.write_text(WHOLE)
    registry = Registry(file)
    invoices, plain, built_in = (registry.get(each) for each in ("invoices", "plain", "durable"))
    assert ("accept", "wait", 5400.0, 2, 0, 4, "sends them", tmp_path) == (
        invoices.on_change, invoices.on_busy, invoices.timeout, invoices.concurrency,
        invoices.max_resumes, invoices.max_running, invoices.description, invoices.base,
    )  # fmt: skip
    assert {"region": "no", "deep": {"list": [1, 2.5, True]}} == invoices.input
    crashes = (invoices.max_crashes, invoices.policies["charge"].max_crashes, plain.max_crashes)
    assert (2, None, 5) == crashes
    retry = invoices.policies["charge"].retry
    assert retry is not None
    assert (5, 2.0, 3.0, 300.0, False, ("ConnectionError", "billing.errors:Throttled")) == (
        retry.attempts, retry.wait, retry.factor, retry.max_wait, retry.jitter, retry.on,
    )  # fmt: skip
    for each in (plain, built_in):
        assert ("refuse", "skip", 7200.0, 9, 7) == (
            each.on_change, each.on_busy, each.timeout, each.concurrency, each.max_resumes,
        )  # fmt: skip


W = '[workflows.a]\ngraph = "./f.py:g"\n'
C = W + "[workflows.a.schedule]\ncron = "
TWO = """[workflows.{0}]
graph = "./f.py:g"
thread = "x-{{slot:%Y-%m-%d}}"
schedule = {{ cron = "@daily" }}
"""
S = W + "[workflows.a.steps.load]\n"


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("version = 2", "1: version: is 2", "upgrade"),
        ("version = true", "1: version: must be 1", None),
        ("versoin = 1", "1: versoin: unknown key", "'version'"),
        (S + "max_crashes = 0", "4: workflows.a.steps.load.max_crashes: must be at least 1", ""),
        ("[defaults]\nmax_resume = 1", "2: defaults.max_resume: unknown key", "'max_resumes'"),
        ("[defaults]\nmax_running = 0", "2: defaults.max_running: must be at least 1", None),
        ("[defaults]\ntimeout = 5", "2: defaults.timeout: must be a duration in quotes", None),
        ('[defaults]\ntimeout = "5 min"', "2: defaults.timeout: '5 min' is not a duration", None),
        ('[defaults]\nretry = { on = "OSError" }', "2: defaults.retry.on: ", "steps.STEP"),
        ('[defaults]\non_busy = "never"', "2: defaults.on_busy: ", "fail, skip, wait"),
        ('[defaults]\nnotify = "x"', "2: defaults.notify: must be a table, not a string", None),
        ('[defaults]\noverlap = "x"', "2: defaults.overlap: is none of the choices", "skip, queue"),
        ('[defaults]\ntimezone = "x/y"', "2: defaults.timezone: no time zone 'x/y'", None),
        (W + "notify = { failde = 'x' }", "3: workflows.a.notify.failde: unknown key", "failed"),
        (W + "notify = { failed = 1 }", "3: workflows.a.notify.failed: must be a string", None),
        (W + "notify = { failed = \"a\\u0000\" }", "notify.failed: holds a zero byte", "mail"),
        (W + "notify = { ping = 'ftp://x' }", "3: workflows.a.notify.ping: is no URL", "hc-ping"),
        (W + "notify = { ping = 'https://x:0/' }", "3: workflows.a.notify.ping: is no URL", None),
        (W + "notify = { ping = { fail = 'x' } }", "notify.ping.fail: unknown key", None),
        (W + "notify = { ping = { log = 'x' } }", "workflows.a.notify.ping.log: is no URL", None),
        (W + "notify = { ping = { method = 'PUT' } }", "method: is none of the choices", "POST"),
        (W + "notify = { timeout = '11m' }", "3: workflows.a.notify.timeout: must be 10m", None),
        ("defaults = 1", "1: defaults: must be a table, not a whole number", None),
        ("workflows = []", "1: workflows: must be tables", None),
        ("[workflows]\na = 1", "2: workflows.a: must be a table", None),
        ("[workflows.a]", "1: workflows.a: graph is missing", "./file.py:name"),
        ('[workflows.a]\ngraph = "f"', "2: workflows.a.graph: 'f' does not say which name", None),
        ('[workflows.a]\ngraph = "./f.py:1"', "2: workflows.a.graph: '1' is no Python name", None),
        (W + "grpah = 1", "3: workflows.a.grpah: unknown key", "'graph'"),
        (W + '"on-busy" = "skip"', '3: workflows.a.on-busy: unknown key', "'on_busy'"),
        ('[workflows."a b"]\ngraph = "./f.py:g"', '1: workflows."a b": is no name', "ASCII"),
        (W + "[workflows.a.schedule]\n", "3: workflows.a.schedule: cron is missing", None),
        (C + "'x'", "4: workflows.a.schedule.cron: 'x' has 1 fields, not 5", "30 6"),
        (C + "'0 0 31 2 *'", "4: workflows.a.schedule.cron: '0 0 31 2 *' never comes", None),
        (C + "'@daily'\ncrn = 1", "5: workflows.a.schedule.crn: unknown key", "'cron'"),
        (C + "'@daily'\ntimezone = 'Europe/Olso'", "5: workflows.a.schedule.timezone", "Oslo"),
        (C + "'@daily'\ntimezone = 'Europe'", "schedule.timezone: no time zone 'Europe'", None),
        (C + "'@daily'\ntimezone = '../x'", "schedule.timezone: no time zone '../x'", None),
        (C + "'@daily'\nstart = 'soon'", "5: workflows.a.schedule.start: must be a", "start"),
        (
            C + "'@daily'\nstart = 2026-02-01\nend = 2026-01-31",
            "6: workflows.a.schedule.end: is not later than start",
            None,
        ),
        (C + "'@hourly'\njitter = '1h'", "5: workflows.a.schedule.jitter: is as long as", None),
        (C + "'@daily'\nmissed = 'some'", "schedule.missed: is none of the choices", "latest"),
        (
            W + "thread = 'a'\nschedule = { cron = '@daily' }",
            "3: workflows.a.thread: has no {slot:…} in it",
            "a-{slot",
        ),
        (
            W + "thread = 'a-{slot:%Y-%m-%d}'\nschedule = { cron = '@hourly' }",
            "3: workflows.a.thread: gives the slots 2026-01-01",
            "%H%M",
        ),
        (
            W + "thread = 'a-{slot}-{input[k]}'\nschedule = { cron = '@daily', timezone = 'UTC' }",
            "3: workflows.a.thread: ",
            None,
        ),
        (
            TWO.format("a") + TWO.format("b"),
            "7: workflows.b.thread: could give slots of workflow b the threads of workflow a",
            "{workflow}-",
        ),
        (W + "[[workflows.a.steps]]\nname = 'x'", "3: workflows.a.steps.x: run is missing", None),
        (S + "needs = ['x']", "4: workflows.a.steps.load.needs: not supported", "retry"),
        (S + "timeout = 3", "4: workflows.a.steps.load.timeout: must be a duration in qu", None),
        (S + "timeout = '0s'", "4: workflows.a.steps.load.timeout: '0s' is not a duration", None),
        (S + "idle_timeout = 'x'", "4: workflows.a.steps.load.idle_timeout: 'x' is not a", None),
        (S + "isolate = 'yes'", "4: workflows.a.steps.load.isolate: must be true or false", None),
        (S + "retry = { attempts = 3 }", "steps.load.retry: does not say what", "on ="),
        (S + "retry = { on = [] }", "4: workflows.a.steps.load.retry.on: is empty", None),
        (S + "retry = { on = 'a b' }", "4: workflows.a.steps.load.retry.on: 'a b' names no", None),
        (S + "retry = { on = 'OSError', attempts = 1001 }", "must be at most 1,000", None),
        (S + "retry = { on = 'OSError', factor = nan }", "must be at least 1", None),
        (S + "retry = { on = 'OSError', wait = '1h', max_wait = '1m' }", "longer than", None),
        (S + "retry = { on_exit = [] }", "steps.load.retry.on_exit: is empty", None),
        (S + "retry = { on_exit = [256] }", "retry.on_exit: must be at most 255", None),
        (S + "retry = { on_exit = 0 }", "retry.on_exit: must be at least 1", None),
        (S + "retry = { on = 'OSError', total = '-1s' }", "retry.total: '-1s' is not a dur", None),
        (S + "retry = { on = 'OSError', total = '500ms' }", "is over before the second", None),
        (W + "thread = 'x y'", "3: workflows.a.thread: would give the thread id 'x y'", "a-{slot"),
        (W + "thread = '{slot:%A}'", "3: workflows.a.thread: the format of", None),
        (W + "thread = '{date}'", "3: workflows.a.thread: unknown field {date}", None),
        (W + "thread = '{slot'", "3: workflows.a.thread: ", None),
        (W + "input = { a = 1979-01-01 }", "3: workflows.a.input.a: a date is no JSON value", None),
        (W + "input = { a = [inf] }", "3: workflows.a.input.a: inf is no JSON number", None),
        (W + "concurrency = 1.5", "3: workflows.a.concurrency: must be a whole number", None),
        (W + "input" + ".a" * 5000 + " = 1", "nested too deeply", None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, text: str, said: str, hint: str | None
) -> None:
    """Each refusal names file, line and key, and where there is a way out, says it."""
    file = tmp_path / "workflows.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert caught.value.message.startswith(f"{file}:")
    assert said in caught.value.message
    assert (hint or "") in (caught.value.hint or "")


def test_one_bad_workflow_does_not_hide_the_others(tmp_path: Path) -> None:
    """validate hears of every workflow: the good ones and the problem of each bad one."""
    file = tmp_path / "workflows.toml"
    file.write_text(WHOLE + "[workflows.bad]\n[workflows.worse]\ngraph = 1\n")
    config, problems = check_config(file)
    assert (["invoices", "plain"], ["bad", "worse"]) == (list(config.workflows), list(problems))


def test_a_key_that_may_stand_on_two_lines_has_no_line() -> None:
    """A look-alike in a multi-line string gives no line rather than a wrong one."""
    text = '[defaults]\ntimeout = 1\nx = """\ntimeout = 2\n"""\n'
    assert None is find_line(text, ("defaults", "timeout"))
    assert 1 == find_line('a."b.c" = 1', ("a", "b.c"))
    assert 2 == find_line("\n[ a . 'b' ] # there", ("a", "b", "c"))


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
    | st.sampled_from(["./f.py:g", "a.b:c", "5m", "OSError", "{slot:%Y}", "{input[a]}", "fail"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["version", "store", "url", "defaults", "workflows", "a", "graph", "thread", "input",
             "steps", "retry", "on", "wait", "max_wait", "attempts", "timeout", "factor", "jitter"]
        ) | st.text(max_size=4), inner, max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


def _toml(value: Any) -> str:
    """``value`` as TOML; None, which TOML lacks, becomes an empty array."""
    import json

    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    return "[]" if value is None else json.dumps(value)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.sampled_from(["version", "store", "defaults", "workflows"]), _VALUES))
@example({"workflows": {"a": {"graph": "./f.py:g", "steps": {"": {"retry": {"on": [""]}}}}}})
def test_whatever_the_file_holds_it_is_taken_or_refused(
    tmp_path: Path, tables: dict[str, Any]
) -> None:
    """Any well-formed TOML either decodes or is refused as one of ours, with a line of text."""
    text = "\n".join(f"{key} = {_toml(value)}" for key, value in tables.items())
    with contextlib.suppress(tomllib.TOMLDecodeError):
        tomllib.loads(text)
    file = tmp_path / "workflows.toml"
    file.write_bytes(text.encode(errors="surrogatepass"))
    refused = ""
    try:
        Registry(file).definitions()
    except DurajobError as error:
        refused = error.message
    assert 0 == refused.count("\n")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_whatever_bytes_the_file_is_they_are_taken_or_refused(
    tmp_path: Path, content: bytes
) -> None:
    """No file of any bytes is a traceback."""
    file = tmp_path / "workflows.toml"
    file.write_bytes(content)
    with contextlib.suppress(DurajobError):
        load_config(file)
