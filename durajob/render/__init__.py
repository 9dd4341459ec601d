"""Results and events made visible: JSON, plain lines, tables, a live view.

Knows the model and nothing that produces it. Rich is imported only by ``tables`` and
``live``, and those are imported only when something is really drawn on a terminal.
"""
