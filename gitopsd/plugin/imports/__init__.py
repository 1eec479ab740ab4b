"""What verbs below `gitopsd import` share: objects that know where their values came from, how they are printed and compared.

A verb is a click command in the entry-point group `gitopsd.commands.import`. It makes an `Import` of what it reads and
hands it to `delivery.deliver`; a cluster is reached by the `Reach` that the group passes as the command's `obj`.
"""

from gitopsd.plugin.imports.imported import Import, Imported, Note, Wanted
from gitopsd.plugin.imports.reach import Reach, Reader

__all__ = ["Import", "Imported", "Note", "Reach", "Reader", "Wanted"]
