"""What the cameras see now, for those who look."""
