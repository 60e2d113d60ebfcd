"""Annotated pictures: recorded, shown, or pushed to a server."""
