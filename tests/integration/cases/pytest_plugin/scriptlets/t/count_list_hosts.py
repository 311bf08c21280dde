"""A step that runs once for the run."""

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Total(Scriptlet):
    """Counts the hosts."""

    reads = ("t.names_v1",)
    writes = ("t.total_v1",)
    scope = "run"

    def run(self, ctx, params):
        ctx.set("t.total_v1", len(ctx.values("t.names_v1")))
        ctx.check("hosts", len(ctx.values("t.names_v1")), min=1)
