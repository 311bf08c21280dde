class Plain(Scriptlet):
    """Does nothing."""

    options = {}
    reads = ()
