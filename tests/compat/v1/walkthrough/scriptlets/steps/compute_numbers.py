import json
import pathlib
import statistics
from scriptlets.core.base import BaseScriptlet
from scriptlets.core.decorator import track_resources


class ComputeNumbers(BaseScriptlet):
    def validate(self, ctx, params):
        if not isinstance(params, dict):
            raise ValueError("params must be dict")
        if "src" not in params:
            raise ValueError("missing src")
        if not pathlib.Path(params["src"]).is_file():
            raise ValueError("file not found")

    @track_resources
    def run(self, ctx, params):
        try:
            self.validate(ctx, params)
            nums = [float(l.strip()) for l in open(params["src"]) if l.strip()]
            stats = {
                "mean": statistics.mean(nums),
                "variance": statistics.pvariance(nums),
                "count": len(nums),
            }
            ctx.set("numbers.stats_v1", stats, who="compute_numbers")
            print(json.dumps({"status":"ok","outputs":["numbers.stats_v1"]}))
            return 0
        except Exception as e:
            print(json.dumps({"status":"error","reason": str(e), "exit_code":1, "step": "compute_numbers"}))
            return 1
