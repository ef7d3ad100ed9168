"""The clock, the accuracy, the record."""
