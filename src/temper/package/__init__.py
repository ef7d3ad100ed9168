"""What was chosen, handed over: a folder that answers without Temper, a model repository, a server's image."""
