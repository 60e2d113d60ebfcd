"""Tracking: which object of one frame is which of the next."""
