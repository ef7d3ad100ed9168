"""The report as one HTML file that opens anywhere: made from records, with nothing to fetch (docs/decisions/0048)."""
