"""Classes of transformers whose networks answer as a task does, by what they read."""

OF_ROWS = {
    "text-classification": "AutoModelForSequenceClassification",
    "image-classification": "AutoModelForImageClassification",
}
OF_WORDS = {"text-classification": "AutoModelForTokenClassification"}
