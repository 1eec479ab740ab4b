"""A group whose verbs are known by name and imported when they are called."""

from __future__ import annotations

from difflib import get_close_matches

import click


class LazyGroup(click.Group):
    """Tells the nearest verb to who misspelt one, which click does for verbs that it holds. Subclasses find and list them."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that is called. Raises `click.UsageError`."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = () if args[0].startswith("-") else get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from error
