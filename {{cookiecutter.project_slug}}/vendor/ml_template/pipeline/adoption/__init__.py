"""Parts of adopt: what a table holds, and the configuration that is proposed for it."""
