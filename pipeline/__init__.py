"""Watchline's core: types, threads, and the stages between cameras and sinks."""
