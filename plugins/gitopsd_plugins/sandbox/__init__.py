"""A Kubernetes API server in this process, in memory: for the demo, for offline plans, and for tests.

Public are

    `serve`     (server.py) an asynchronous context: a server on loopback, with `settling`, `history` and `clock` in `Settings`
    `Running`   what it gives: `url`, `token`, `kubeconfig()`, `cluster`, `faults`, `journal`, `cut_watches()`, `compact()`
    `Settings`  (cluster.py) how the cluster behaves
    `Fault`     (faults.py) a failure that a test asks for: `running.faults.add(Fault(method="PATCH", status=429, retry_after=1))`
    `Deny`      (access.py) a refusal: `running.cluster.access.denied.append(Deny(verb="list", resource="secrets"))`
    `Cluster`   (cluster.py) the state itself; `routes.answer` asks it without HTTP
    `Request`   (journal.py) one entry of `running.journal.requests(method="DELETE")`

all imported from their modules, so that this package stays cheap to import. Images whose name or tag contains `fail` or
`broken` never start: a Deployment of one exceeds its progress deadline, a Job of one fails. State lives in memory; with
`persist` a folder follows it, and the next start reads it.

As a plugin it offers the access `sandbox` for `Cluster` objects (cluster_access.py), and the verb `gitopsd sandbox up`. The server
itself loads nothing of gitopsd until a request needs it, for YAML or rules in CEL: that is half of what a start would cost.
"""
