"""What a job says while it works: its log, how far it is, its line on the terminal."""
