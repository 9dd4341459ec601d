"""One file a verb. A command takes what the user typed, refuses what is wrong with it, and
returns a frozen result of ``model`` or raises a DurajobError; it prints nothing."""
