"""Slots: when they are due, which of them are run, and their place in the ledger.

``times`` knows when, ``policy`` decides, ``booking`` writes. Nothing here runs a graph or imports
LangGraph: a slot is run by admitting its thread, which a process of its own then resumes.
"""
