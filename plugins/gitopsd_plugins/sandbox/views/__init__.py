"""What a client gets to see: selections, tables, items of lists, events of watches."""
