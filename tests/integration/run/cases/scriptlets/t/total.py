"""A step that runs once for the run."""

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Total(Scriptlet):
    """Adds up a key of all hosts."""

    reads = ("t.ok_v1",)
    writes = ("t.total_v1",)
    scope = "run"

    def run(self, ctx, params):
        ctx.set("t.total_v1", {"sum": sum(ctx.values("t.ok_v1").values()), "hosts": ctx.hosts()})
        ctx.measure("hosts", len(ctx.hosts()), "hosts")
