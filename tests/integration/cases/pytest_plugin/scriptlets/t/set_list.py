"""A key that a loop goes over."""

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Names(Scriptlet):
    """Sets a list."""

    reads = ()
    writes = ("t.names_v1",)

    def run(self, ctx, params):
        ctx.set("t.names_v1", [{"name": "x", "value": 1}, {"name": "y", "value": 8}])


class Broken(Scriptlet):
    """Ends with a mistake."""

    reads = ()

    def run(self, ctx, params):
        raise KeyError("boom")
