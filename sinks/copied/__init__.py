"""The cameras' own video, copied without encoding it anew."""
