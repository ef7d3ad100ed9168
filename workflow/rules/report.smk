rule report:
    input:
        records=expand("artifacts/measurements/{candidate}.json", candidate=STUDY.candidates),
    output:
        expand("artifacts/report/summary.{form}", form=("md", "csv", "json")),
    log:
        "logs/report.log",
    params:
        study=STUDY.study,
        baseline=STUDY.baseline,
        folder=subpath(output[0], parent=True),
        source=digest_of("report.py"),
    message:
        "report"
    script:
        "../scripts/report.py"
