"""Every figure of the page in a sentence, with its formula's name and source."""

GLOSSARY: tuple[tuple[str, str, str], ...] = (
    (
        "times as fast (×)",
        "The baseline's latency over the candidate's. Both take turns on the same inputs in one process, so that whatever slows "
        "the machine slows both. Above 1 is faster.",
        "ratio of medians (of means where calls differ in size); bootstrap over blocks with expanded percentiles, Efron and "
        "Tibshirani 1993, Hesterberg 2015",
    ),
    ("95 % interval", "What the true figure lies in, 19 times out of 20, by the calls or rows that were measured.", ""),
    (
        "win, tie, loss, undecided",
        "Told by the whole interval and the study's margin: a win lies wholly beyond it on the fast side, a tie wholly inside.",
        "analysis.latency_margin",
    ),
    (
        "disturbed",
        "A latency that was measured and does not hold: the machine was not quiet, or the baseline beside the candidate was "
        "another one than beside itself. Nothing is chosen by it.",
        "",
    ),
    (
        "noise floor",
        "The smallest ratio that this machine could have told from 1, from timing the baseline beside itself.",
        "largest of the interval's ends and its half width",
    ),
    (
        "points",
        "Percentage points of accuracy, the candidate's minus the baseline's, on the same test rows.",
        "interval of a paired difference of proportions, Tango 1998",
    ),
    (
        "within, beyond, undecided",
        "Whether that interval lies within the accuracy budget, beyond it, or on both sides: then more test rows would decide.",
        "analysis.accuracy_budget_points",
    ),
    ("flip", "A test row whose label is another one than the baseline's.", ""),
    (
        "loses at most",
        "The most that a candidate may have lost, 95 %: where no label differs, the bound on a rate of which nothing was seen.",
        "Clopper and Pearson 1934",
    ),
    ("McNemar p", "How often as many flips in one direction come by chance.", "exact conditional test, McNemar 1947"),
    ("confidence", "The probability that the model gives its own answer.", "softmax of the logits"),
    (
        "p50, p95, p99",
        "Of a hundred calls, so many took no longer. p50 is the median.",
        "nearest rank, Hyndman and Fan 1996, definition 1",
    ),
    (
        "latency",
        "From arrays in the host's memory to logits in the host's memory, copies included.",
        "one clock, just outside the call",
    ),
    ("samples/s", "Rows answered per second with the best number of callers at once.", ""),
    ("cold start", "A new process: importing the library, loading the artifact, the first answer.", ""),
    (
        "ran in",
        "The precisions in which matrix products and convolutions were executed, as the library itself reports it: not what the "
        "file's name says.",
        "",
    ),
    ("conversions", "Time that goes into quantising, casting and reordering instead of products.", ""),
    (
        "front",
        "Candidates that no other beats in latency, accuracy and memory together.",
        "Pareto front",
    ),
    (
        "load test",
        "Traffic as MLPerf LoadGen makes it: VALID where the latency's percentile kept its bound.",
        "MLPerf Inference, LoadGen",
    ),
    (
        "Holm",
        "p-values corrected for how many comparisons a table makes: a chance of 5 % at most that any of them is wrong.",
        "Holm 1979",
    ),
)
