"""Engineering observations: rules over records, each with the figures that it rests on."""
