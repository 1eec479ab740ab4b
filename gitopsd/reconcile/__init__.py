"""What a reconcile is: short steps from frozen values to frozen values, pure except where a plugin's object is awaited.

    source.py   resolve -> fetch -> put -> conclude
    app.py      artifact -> render -> require -> remember -> [ observe -> rehearse -> plan -> apply -> settle ] per stage
                -> prune -> forget -> gate -> conclude

It knows neither when it is called (runtime) nor any plugin by name.
"""
