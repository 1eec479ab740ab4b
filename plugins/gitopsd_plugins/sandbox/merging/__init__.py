"""Server-side apply and patches: who owns which fields, and what a manifest makes of an object."""
