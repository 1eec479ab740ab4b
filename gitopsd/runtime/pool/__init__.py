"""Worker processes: started, confined, asked one thing at a time, killed."""
