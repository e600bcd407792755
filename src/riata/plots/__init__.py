"""Figures of a run: data first, then drawn; numpy and altair, never torch."""
