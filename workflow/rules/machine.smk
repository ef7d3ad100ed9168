# No params and no record: what is seen stands among the settings of the jobs that run there (temper/orchestration/machines.py).
rule read_machine:
    output:
        machine="machines/{machine}.json",
    log:
        "logs/read_machine/{machine}.log",
    wildcard_constraints:
        machine=any_of(STUDY.machines),
    threads: cores_for("read_machine")  # as many as what is timed there has
    resources:
        **FILES.asked_for("read_machine"),
    message:
        "read_machine {wildcards.machine}"
    script:
        "../scripts/read_machine.py"
