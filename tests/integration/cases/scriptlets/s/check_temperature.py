"""A scriptlet that judges what it finds by itself."""

from rack_recipes import Scriptlet


class Checks(Scriptlet):
    """Checks a temperature."""

    options = {"celsius": {"type": "float", "required": True}}
    reads = ()

    def run(self, ctx, params):
        ctx.check("inlet", params["celsius"], unit="C", max=40, warn={"max": 35})
