"""Many networks at once: what to train, how, and what came out."""
