"""Health of objects in the terms of kstatus: one file per family of kinds, all pure."""
