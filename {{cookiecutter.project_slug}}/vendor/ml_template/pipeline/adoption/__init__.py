"""Parts of adopt: what a table holds, and what in it gives the target away."""
