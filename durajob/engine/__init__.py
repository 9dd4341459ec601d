"""Admit, claim, drive, finish: the only room that runs graphs."""
