"""The dashboard: a web page and an API to watch and steer a run."""
