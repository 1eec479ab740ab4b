"""One suite of tests per role. A plugin author subclasses it, gives it a fixture, and is done when it passes (needs pytest)."""
