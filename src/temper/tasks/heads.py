"""Classes of transformers whose networks answer as a task does, by what they read."""

OF_ROWS = {
    "text-classification": "AutoModelForSequenceClassification",
    "image-classification": "AutoModelForImageClassification",
}
OF_BODIES = {"text-classification": "AutoModel"}  # pooled: temper/training/pooling.py
OF_WORDS = {"text-classification": "AutoModelForTokenClassification"}
