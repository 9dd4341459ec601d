"""The built-in workflows: one pattern a module, each with an attribute ``workflow``.

They are written as a user would write them, against ``from durajob import …`` alone, and each
takes inputs that make it succeed or fail on demand. Text from ``-i key=text`` is taken for
numbers and yes-or-no as well, so that nobody has to think of ``:=``.
"""
