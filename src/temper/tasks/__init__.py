"""What a row's label is: a file for each kind (docs/decisions/0065)."""
