"""Plain LangGraph as its documentation has it, with every commit durable.

    langgraph_run.py FILE:NAME STORE [THREAD]

Prints the seconds that ``invoke`` took. With a THREAD that exists, it goes on with that.
"""

import importlib
import os
import sqlite3
import sys
import time

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver

path, _, name = sys.argv[1].partition(":")
sys.path.insert(0, os.path.dirname(path))
module = importlib.import_module(os.path.basename(path).removesuffix(".py"))

connection = sqlite3.connect(sys.argv[2], check_same_thread=False)
saver = SqliteSaver(connection)
saver.setup()
connection.execute("PRAGMA synchronous = FULL")
graph = getattr(module, name)().compile(checkpointer=saver)
config: RunnableConfig = {
    "configurable": {"thread_id": sys.argv[3] if len(sys.argv) > 3 else "bench"}
}
given = None if saver.get_tuple(config) else {"done": 0}
began = time.perf_counter()
result = graph.invoke(given, config, durability="sync")
print(time.perf_counter() - began)
assert result["done"] == module.STEPS, result
connection.close()
