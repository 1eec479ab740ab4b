"""What plugins that serve Flux's source kinds have in common: fields, credentials, ignore rules, versions, status.

A plugin imports the modules by name: `from gitopsd.plugin.sources import ignore, semver`.
"""
