"""Argo CD's `Application` objects as Flux's own: a verb and no hook, `gitopsd import argocd`.

An Application with a directory or a kustomize source is a GitRepository and a Kustomization. Where the two engines differ,
the note says how; what has no counterpart (Helm sources, plugins, ApplicationSets) is listed and never dropped silently.
"""
