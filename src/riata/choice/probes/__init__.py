"""Experiments behind the questions of the charts: each takes a context and returns evidence."""
