"""Limits that hold: coroutines are cancelled, blocking steps run in processes that are killed.

A thread of Python cannot be ended from outside, a process can. So a blocking step with a
timeout, or one that asks for ``isolate``, runs in a worker process. Three kinds of process
take part:

- the **owner** (``workers``, ``conversation``) drives the thread and keeps the time. A step's
  helpers (``progress``, ``heartbeat``, …) still work on its side: the worker forwards them.
- the **warden** (``warden``), one for each owner that needs it, is a fresh process without
  threads that has imported LangGraph and forks the workers from that. It is their parent, so
  nobody else can be mistaken for them; it kills them, with all that they started, when the
  owner asks or dies. It holds the thread's lock until the last of them is gone.
- a **worker** (``worker``) loads the workflow's target as the owner did and runs one step at a
  time; the step is named to it, not pickled. It is used again while it behaves.

What a step leaves running when it ends (a daemon, a forgotten child) ends with it.
"""
