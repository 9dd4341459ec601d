"""A first workflow: greets some people one by one, and can be killed at any moment.

    durajob start hello -t first        runs it; kill it halfway: kill -9, a closed terminal, …
    durajob resume first                goes on where it stood; nobody is greeted again
    durajob status first                how it stands, and what it knows

With people of your own:  durajob start hello -i 'people:=["Ada", "Grace"]' -i greeting=Hi

A step is a plain function: it takes the state and returns what changes in it. Once it has
returned, its result is on disk and it is never run again. A step that was killed halfway runs
again from its top, so let each do one thing, and one that does no harm when it is done again.
"""

import time
from typing import TypedDict

from durajob import Workflow, progress


class Hello(TypedDict, total=False):
    """The state. What ``-i`` and ``input`` in workflows.toml give is there from the start."""

    people: list[str]
    greeting: str
    greetings: list[str]
    letter: str


workflow = Workflow("hello", Hello)


@workflow.step
def invite(state: Hello) -> Hello:
    """Runs first. What it returns is laid over the state; all else stays as it was."""
    return {"people": [name.strip().title() for name in state["people"]]}


@workflow.map(over="people", collect="greetings", share=["greeting"])
def greet(name: str, shared: Hello) -> str:
    """Runs once for each of the people, several at a time, and each is saved by itself."""
    for part in range(15):
        progress(part, 15, f"greeting {name}")
        time.sleep(0.1)  # what takes long in a real workflow
    return f"{shared['greeting']}, {name}!"


# Only what ``on`` names is tried again: anything else fails the thread at once, to be looked at
# and, after a fix, resumed.
@workflow.step(retry={"attempts": 5, "on": OSError, "wait": "1s", "max_wait": "1m"})
def post(state: Hello) -> Hello:
    """Runs when everybody has been greeted."""
    letter = "\n".join(state["greetings"])
    print(letter)
    return {"letter": letter}
