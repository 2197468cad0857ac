"""The life cycle of a model, one stage a module; the order stands in dvc.yaml."""
