"""Objects on their way through a build: identity, text, origin, order, and the types' facts."""
