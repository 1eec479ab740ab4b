"""What people and programs ask of an engine: decisions, trees, numbers, and what would happen."""
