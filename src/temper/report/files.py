"""Names of the report's files, for the rule that promises them and the code that writes them; and of a file filed beside it."""

REPORT_NAMES = (
    "summary.md",
    "summary.csv",
    "summary.json",
    "engineering_observations.md",
    "comparison.json",
    "decision.json",
    "metrics.json",
    "report.html",
)

# beside the records of a study of which a part is filed: each job without one ('measure NAME'), and why
LEFT_OUT = "left_out.json"
