"""Parts of report: facts, tables and pages."""
