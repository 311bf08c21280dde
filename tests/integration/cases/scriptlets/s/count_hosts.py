"""A step that runs once for the run."""

from rack_recipes import Scriptlet


class Count(Scriptlet):
    """Counts the hosts that have a key."""

    reads = ("s.a_v1",)
    writes = ("s.count_v1",)
    scope = "run"

    def run(self, ctx, params):
        ctx.set("s.count_v1", len(ctx.values("s.a_v1")))
