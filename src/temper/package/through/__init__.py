"""What may stand between LoadGen and an artifact: one file for each word of `through`. Each has a function `served`."""
