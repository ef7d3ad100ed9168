"""Names of the report's files, for the rule that promises them and the code that writes them."""

REPORT_NAMES = (
    "summary.md",
    "summary.csv",
    "summary.json",
    "summary_table.md",
    "engineering_observations.md",
    "comparison.json",
    "decision.json",
    "metrics.json",
)
