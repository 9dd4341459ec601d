"""The built-in workflow ``durable`` on plain LangGraph: the same modules, graph and durability.

durable.py STORE THREAD
"""

import operator
import sqlite3
import sys
from typing import Annotated, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph


class State(TypedDict, total=False):
    seconds: float
    progress: int
    log: Annotated[list[str], operator.add]


def a(state: State) -> State:
    return {"progress": 33, "log": ["A"]}


def b(state: State) -> State:
    return {"progress": 66, "log": ["B"]}


def c(state: State) -> State:
    return {"progress": 100, "log": ["C"]}


graph = StateGraph(State)
graph.add_node("A", a)
graph.add_node("B", b)
graph.add_node("C", c)
graph.add_edge(START, "A")
graph.add_edge("A", "B")
graph.add_edge("B", "C")
graph.add_edge("C", END)

connection = sqlite3.connect(sys.argv[1], check_same_thread=False)
saver = SqliteSaver(connection)
saver.setup()
connection.execute("PRAGMA synchronous = FULL")
print(
    graph.compile(checkpointer=saver).invoke(
        {"seconds": 0}, {"configurable": {"thread_id": sys.argv[2]}}, durability="sync"
    )
)
connection.close()
