"""The store: the only room that knows SQL, SQLite and the files that hold threads."""
