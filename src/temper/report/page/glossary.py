"""Every figure of the page in a sentence, with its formula's name and source; and the words of the documentation."""

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

WORDS: tuple[tuple[str, str], ...] = (
    ("study", "A folder with a params.yaml: one model, one data set, and what is to be made and measured of them."),
    ("candidate", "A row of the table: an artifact on a backend. The baseline is one of them."),
    (
        "baseline",
        "What every candidate takes turns with, and is compared with: PyTorch in FP32 where a study says nothing else.",
    ),
    (
        "workload",
        "The shape of a call: rows in a batch and tokens, such as b12-s64; or real lengths, in the order of the test split.",
    ),
    (
        "artifact",
        "A file that was made and is loaded: checkpoint, ONNX file, calibration cache, engine. Its manifest has its digests.",
    ),
    ("backend", "What runs an artifact: a library on a device with its options."),
    ("recipe", "Rows that belong together and have a name, so that a study can ask for all of them in one word."),
    ("calibration", "Reading sample rows to find the ranges that INT8 rounds to."),
    ("Q/DQ", "QuantizeLinear and DequantizeLinear: ONNX nodes that say where a network is rounded to eight bits."),
    ("engine", "A network compiled by TensorRT or TensorRT-RTX for its shapes."),
    ("profile", "The shapes that an engine takes: smallest, most frequent, largest."),
    (
        "packed row",
        "A row of tokens that holds several texts end to end, each of which sees its own tokens alone: hardly any is padding.",
    ),
    ("bucket", "A length that rows are padded to, so that an engine with few shapes takes all of them."),
    (
        "accuracy budget",
        "How many points of accuracy a study allows a candidate to lose (analysis.accuracy_budget_points).",
    ),
    ("margin", "The smallest difference in latency that a study calls a difference (analysis.latency_margin)."),
    (
        "choice",
        "The fastest candidate whose latency holds and whose accuracy is within the budget; of equals the smallest.",
    ),
    ("provisional", "A choice whose accuracy the test rows cannot decide: it comes with what it may lose at most."),
    ("record", "What one measurement found, as JSON: latencies, labels, logits, products, versions, machine."),
    (
        "filed",
        "Records kept under results/ for others to read, with digests; everything written in these pages is made from them.",
    ),
    (
        "left open",
        "A candidate that may be faster than the choice, and whose latency does not hold: `temper run --again remeasure` takes "
        "it once more.",
    ),
    ("checkpoint", "A trained model as transformers saves it: config.json, weights, tokenizer or image processor."),
    ("embedded study", "The params.yaml at the top of this repository: a small DistilBERT on made-up sentences."),
    ("harness", "A candidate that computes nothing: what measuring itself costs."),
    ("job", "One step for one entry of params.yaml, such as `measure ort-int8`: files in, files and a record out."),
    ("logits", "What a model answers before it is turned into a label: a number for each label."),
    ("withdrawn", "Measured, and shown nowhere any more, with the reason."),
)


def glossary_markdown() -> str:
    """Both as tables for the documentation, in the order of the alphabet."""
    words = [f"**{word}** | {meaning}" for word, meaning in WORDS]
    figures = [f"**{name}** | {meaning}{f' *{source}*' if source else ''}" for name, meaning, source in GLOSSARY]
    lines = sorted([*words, *figures], key=lambda line: line.strip("*").lower())
    return "\n".join(["| | |", "| --- | --- |", *(f"| {line} |" for line in lines), ""])
