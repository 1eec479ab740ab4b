"""The demo's repository in its two states, and what the demo declares."""
