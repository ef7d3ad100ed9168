"""This repository's own pages, written from the records in results/."""
