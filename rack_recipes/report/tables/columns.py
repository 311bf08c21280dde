# SPDX-License-Identifier: GPL-3.0-or-later

"""The columns of each table, and the sentence that explains the table."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS as ALL_VERDICTS
from rack_recipes.report.table_model import Column

HOST, STEP, VERDICT = Column("host", "Host"), Column("step", "Step"), Column("verdict", "Verdict", "verdict")
REASON = Column("reason", "Reason")
SECONDS = Column("seconds", "Time", "seconds", "s")
KEY = Column("key", "Key")
TRIES = Column("tries", "Tries", "number")
CPU = (Column("user_sec", "User CPU", "seconds", "s"), Column("system_sec", "System CPU", "seconds", "s"))
MEMORY = Column("max_rss_kib", "Peak memory", "number", "KiB")
RESULTS = Column("results", "Results", "number")
FIRST_HOST = Column("first_host", "First host")
FROM = Column("source_run", "From run")
THROUGH = Column("through", "Through")
INSTANCES = Column("instances", "Instances", "number")
NAME, UNIT = Column("name", "Measurement"), Column("unit", "Unit")
VALUE = Column("value", "Value", "number")
LIMITS = Column("limits", "Limits")
DISTANCE = Column("distance", "Distance", "number")
MARGIN = Column("margin", "Margin", "number", "%")

SUMMARY = (
    Column("run_id", "Run"),
    Column("status", "Status", "verdict"),
    Column("test_id", "Test"),
    Column("description", "Description"),
    Column("tester", "Tester"),
    Column("labels", "Labels"),
    Column("refs", "References"),
    Column("params", "Parameters"),
    Column("options", "Options"),
    Column("resumes", "Goes on from run"),
    Column("parts", "Parts"),
    Column("recipe", "Recipe"),
    Column("digest", "Recipe digest"),
    Column("started", "Started", "time", "UTC"),
    Column("ended", "Ended", "time", "UTC"),
    Column("seconds", "Duration", "seconds", "s"),
    Column("hosts", "Hosts", "number"),
    Column("steps", "Steps", "number"),
    RESULTS,
    Column("not_passing", "Not passed", "number"),
    Column("not_run", "Skipped or blocked", "number"),
    Column("checks", "Checks", "number"),
    Column("controller", "Controller"),
    Column("user", "User"),
    Column("versions", "Versions"),
    Column("stopped", "Stopped"),
)
COUNTS = (VERDICT, RESULTS, Column("share", "Share", "number", "%"))
NOT_PASSED = (VERDICT, HOST, STEP, REASON, SECONDS, TRIES, Column("stderr", "Log", "log"))
REASONS = (VERDICT, STEP, REASON, RESULTS, Column("hosts", "Hosts", "number"), FIRST_HOST)
WAIVED = (HOST, STEP, Column("was", "Verdict before", "verdict"), Column("failure", "What failed"), REASON)
JUDGEMENTS = (
    Column("n", "No.", "number"),
    Column("time", "Time (UTC)", "time"),
    Column("user", "By"),
    Column("source", "Limits from"),
    Column("counts", "Measurements by verdict", "json"),
    Column("changes", "Verdicts that change", "number"),
    Column("digest", "Digest of the limits"),
)
FLAKES = (HOST, STEP, VERDICT, TRIES, Column("first", "First failure"), SECONDS)
CRITERIA = (
    STEP,
    NAME,
    LIMITS,
    VERDICT,
    Column("values", "Values", "number"),
    Column("failed", "Failed", "number"),
    Column("marginal", "Marginal", "number"),
    Column("passed", "Passed", "number"),
    Column("value", "Nearest value", "number"),
    UNIT,
    DISTANCE,
    MARGIN,
    Column("nearest_host", "Host of nearest"),
)
STEPS = (
    STEP,
    Column("stage", "Stage", "number"),
    INSTANCES,
    RESULTS,
    Column("passing", "Passed", "number"),
    Column("failed", "Failed", "number"),
    Column("error", "Errors", "number"),
    Column("unreachable", "Unreachable", "number"),
    Column("not_run", "Not run", "number"),
    Column("retried", "Retried", "number"),
    Column("median", "Median", "seconds", "s"),
    Column("max", "Longest", "seconds", "s"),
    Column("total", "All hosts", "seconds", "s"),
    Column("slowest_host", "Slowest host"),
)
REUSED = (STEP, VERDICT, FROM, RESULTS, FIRST_HOST)
ROUNDS = (
    HOST,
    STEP,
    VERDICT,
    Column("rounds", "Rounds", "number"),
    Column("passed", "Rounds passed", "number"),
    NAME,
    UNIT,
    Column("min", "Least", "number"),
    Column("mean", "Mean", "number"),
    Column("max", "Greatest", "number"),
    Column("stdev", "Deviation", "number"),
    Column("p95", "95 % below", "number"),
)
HOOKS = (Column("hook", "Hook"), Column("when", "When"), STEP, VERDICT, REASON, RESULTS, FIRST_HOST)
SLOWEST = (SECONDS, HOST, STEP, VERDICT, *CPU, MEMORY, TRIES)
MEASUREMENTS = (
    STEP,
    NAME,
    UNIT,
    Column("hosts", "Hosts", "number"),
    Column("values", "Values", "number"),
    Column("min", "Least", "number"),
    Column("median", "Median", "number"),
    Column("max", "Greatest", "number"),
    Column("min_host", "Host of least"),
    Column("max_host", "Host of greatest"),
)
STATISTICS = (
    STEP,
    Column("name", "Measurement or key"),
    UNIT,
    Column("count", "Numbers", "number"),
    Column("mean", "Mean", "number"),
    Column("variance", "Variance (n - 1)", "number"),
    Column("median", "Median", "number"),
    Column("mad", "MAD", "number"),
    Column("p5", "5 % below", "number"),
    Column("p25", "25 % below", "number"),
    Column("p75", "75 % below", "number"),
    Column("p95", "95 % below", "number"),
    Column("skewness", "Skewness (G1)", "number"),
    Column("least", "Least", "number"),
    Column("greatest", "Greatest", "number"),
    Column("definition", "Definition"),
)
VALUES = (HOST, STEP, NAME, VALUE, UNIT, VERDICT, LIMITS, DISTANCE, MARGIN)
VERDICTS = (
    HOST,
    THROUGH,
    STEP,
    VERDICT,
    REASON,
    SECONDS,
    *CPU,
    MEMORY,
    TRIES,
    Column("exit_code", "Exit code", "number"),
    Column("checks", "Checks", "number"),
    INSTANCES,
    FROM,
    Column("started", "Started", "time", "UTC"),
)
CONTEXT = (
    KEY,
    HOST,
    Column("version", "Version", "number"),
    Column("value", "Value", "json"),
    Column("who", "Set by"),
    Column("time", "Set at", "time", "UTC"),
)
CHANGES = (
    KEY,
    HOST,
    Column("version", "Version", "number"),
    Column("value", "Value", "json"),
    STEP,
    Column("who", "Set by"),
    Column("origin", "Set on"),
    Column("time", "Set at", "time", "UTC"),
)
TREND = (
    STEP,
    Column("name", "Measurement or key"),
    UNIT,
    Column("line", "Hosts of the line"),
    Column("run_id", "Run"),
    Column("started", "Started", "time", "UTC"),
    Column("median", "Median", "number"),
    Column("low", "Least", "number"),
    Column("high", "Greatest", "number"),
    Column("hosts", "Hosts", "number"),
    Column("change", "Change of level"),
    KEY,
)
CONFLICTS = (
    KEY,
    HOST,
    Column("based_on", "Based on version", "number"),
    Column("version", "New version", "number"),
    Column("before", "Value before", "json"),
    Column("after", "Value after", "json"),
    Column("policy", "Merge policy"),
    Column("outcome", "The write was"),
    Column("other", "Other value", "json"),
    Column("fields", "Both changed", "json"),
    STEP,
    Column("time", "Time", "time", "UTC"),
)
ARTIFACTS = (
    HOST,
    STEP,
    Column("attempt", "Try", "number"),
    Column("name", "Artifact"),
    Column("size", "Size", "number", "B"),
    Column("media_type", "Type"),
    Column("path", "File in the run's folder"),
    Column("note", "Why it is missing"),
    Column("sha256", "SHA-256"),
    Column("time", "Time", "time", "UTC"),
)
RUNS = (
    Column("run_id", "Run"),
    Column("status", "Status", "verdict"),
    Column("started", "Started", "time", "UTC"),
    SECONDS,
    Column("passing", "Passed", "number"),
    Column("not_passing", "Not passed", "number"),
    Column("not_run", "Skipped or blocked", "number"),
)

FINDINGS = (
    Column("n", "Number", "number"),
    Column("grade", "Grade"),
    Column("kind", "Kind"),
    Column("title", "Finding"),
    Column("action", "Action"),
    Column("rule", "Why this action"),
    Column("advice", "What to do next"),
    Column("owner", "Owner"),
    Column("explains", "Explains", "number"),
    Column("results", "Rests on"),
    Column("figures", "Figures"),
    Column("about", "About"),
    Column("method", "Method"),
    Column("origin", "Found by"),
    Column("suggestion", "Suggestion"),
)
CAUSES = tuple(column for column in FINDINGS if column.name not in ("kind", "about"))
FINDING_RESULTS = (Column("n", "Finding", "number"), HOST, STEP, NAME, VERDICT)
HOSTS = (HOST, VERDICT, STEP, REASON)
HOST_COUNTS = (RESULTS, *(Column(verdict, verdict.capitalize(), "number") for verdict in ALL_VERDICTS))

ABOUT_CAUSES = "What results that did not pass together have in common; those that explain most results first."
ABOUT_FINDINGS = "What the analysis found: one row for each finding, the most important first."
ABOUT_FINDING_RESULTS = "The results on which each finding rests, by the number of the finding."
ABOUT_HOSTS = "Each host with what the inventory says of it, its gravest result and its results by verdict."
ABOUT_COUNTS = "Results by verdict, the gravest first. Of a looped step its instances count."
ABOUT_NOT_PASSED = "Results that were tried and did not pass, the gravest first."
ABOUT_REASONS = (
    "What did not pass, the same step, verdict and reason gathered over hosts and instances; reasons that differ only "
    "in their numbers, ids, addresses and paths are one."
)
ABOUT_NOT_RUN = "Skipped and blocked results, the same step and reason gathered in the same way."
ABOUT_WAIVED = "Failures that somebody has accepted: what failed, and the waiver with its end."
ABOUT_JUDGEMENTS = "Judgements of this run's measurements by other limits, made later; the run's own verdicts stay."
ABOUT_FLAKES = "Results that passed only after a try that had failed."
ABOUT_CRITERIA = (
    "Measured values against their limits, by verdict, the nearest to a limit first. The distance is negative beyond "
    "the limit; the margin is the distance in percent of the permitted range, or of the limit where there is only one."
)
ABOUT_STEPS = (
    "Times are those of results that ran in this run; what was used again or never began does not count, nor do "
    "skipped, blocked and unreachable results. The instances of a looped step stand under it and have its results."
)
ABOUT_REUSED = "Results of earlier runs that were used again because their inputs had not changed."
ABOUT_ROUNDS = "Steps that were done over and over, with the spread of what they measured over their rounds."
ABOUT_HOOKS = "Hooks that did not pass. They change no verdict of a step."
ABOUT_SPREAD = "Spread over hosts by step, measurement and unit. Values that are not numbers count under Values only."
ABOUT_STATISTICS = (
    "Every number over the hosts: measurements by step, and numbers in the context by their path. Percentiles are of "
    "type 7, as in Excel and R; there is none of too few values. MAD is the median distance from the median."
)
ABOUT_VALUES = "Every measured value: first those with limits, by verdict and the nearest to a limit first."
ABOUT_TREND = (
    "Each number of this run beside those of the earlier runs of the test: the median of each class of hosts, with the "
    "least and the greatest. A change of level stands at the first run of the new level."
)
ABOUT_CHANGES = "Every value of the keys that were written more than once in this run, in the order of the writes."
ABOUT_VERDICTS = "How each step ended on each host; a looped step, with the number of its instances, stands above them."
ABOUT_ARTIFACTS = "Files that steps left with the run; those with the same content are one file."
ABOUT_CONFLICTS = (
    "Writes of a key that another write had changed in between, and what the merge policy made of them. The other "
    "value is the one of both that stands neither before nor after."
)
