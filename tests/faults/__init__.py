"""Planted faults: each row plants one in a copy of a trained project, which must refuse it."""
