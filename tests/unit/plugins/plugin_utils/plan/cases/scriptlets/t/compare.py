class Compare(Scriptlet):
    """Compares all hosts."""

    scope = "run"
    options = {}
    reads = ("link.limits_v1",)
    writes = ("link.compared_v1",)
