"""What happens to a model after it was registered."""
