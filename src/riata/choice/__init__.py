"""Questions, evidence and the decision."""
