"""What a machine makes of its input, and where each millisecond goes."""
