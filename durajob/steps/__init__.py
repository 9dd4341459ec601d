"""What a step may use while it runs."""
