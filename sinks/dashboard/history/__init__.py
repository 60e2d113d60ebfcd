"""What the dashboard remembers: events and the best picture of each object."""
