"""Commands of `temper` that have a file of their own: `add_to` describes one to argparse; the work is done elsewhere."""
