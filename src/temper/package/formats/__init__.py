"""What a package can be written for: a file for each form, named by --for."""
