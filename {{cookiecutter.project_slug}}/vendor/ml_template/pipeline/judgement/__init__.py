"""Parts of gate: the evidence, the rival, and one check for each gate."""
