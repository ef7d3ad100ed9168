"""How answers are judged: a file for each kind of label (docs/decisions/0090)."""
