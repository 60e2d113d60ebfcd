"""Folders of recordings: names, a lock, mending, retention."""
