"""What may be said of records: compared with the baseline, explained, and the choice among them."""
