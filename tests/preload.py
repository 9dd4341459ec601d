"""What the fork server imports once, so that a forked durajob begins at once.

Importing LangGraph takes over a second; a test that kills and resumes would pay it each time.
"""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

import durajob.cli.app
import durajob.cli.driving
import durajob.commands.resume
import durajob.commands.start
import durajob.commands.status
import durajob.engine.claim
import durajob.engine.drive
import durajob.targets  # noqa: F401 - imported to be there
