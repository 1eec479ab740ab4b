"""What it means that a signature proves nothing."""


class Refused(Exception):  # noqa: N818 - the name is the state
    """A signature proves nothing. The message says why, and begins with a verb."""
