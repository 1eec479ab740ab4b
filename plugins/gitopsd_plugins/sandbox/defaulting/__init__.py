"""What the server itself writes into an object: defaults, addresses, identity, another version."""
