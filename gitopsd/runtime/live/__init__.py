"""What clusters do by themselves: connections, watches, drift, look-ups that wake."""
