"""Git's packs: read as they come, object by object, within bounds."""
