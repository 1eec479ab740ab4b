"""What users come to regret, said before it happens. Each piece of advice is one pure function in one table (`table.py`)."""
