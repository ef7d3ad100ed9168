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
    "trade_off.svg",
)

# what `snakemake --report` shows of them: the file of its caption below workflow/report/, and its category
CAPTIONS = {
    "report.html": ("page.rst", "The choice"),
    "trade_off.svg": ("trade_off.rst", "The choice"),
    "summary.csv": ("summary.rst", "The evidence"),
    "engineering_observations.md": ("observations.rst", "The evidence"),
}

# beside the records of a study of which a part is filed: each job without one ('measure NAME'), and why
LEFT_OUT = "left_out.json"
