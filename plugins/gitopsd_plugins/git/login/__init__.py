"""Short-lived tokens that take the place of a password: where they come from, and how long they last."""
