"""The command line: one file per verb. A verb talks to the running daemon over its socket, or runs the steps itself."""
