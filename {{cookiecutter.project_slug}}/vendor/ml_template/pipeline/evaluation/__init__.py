"""Parts of evaluate: groups, importance, plots."""
