"""Who signed a commit or a tag."""
