"""Where the code runs: libraries, devices, this machine, the digest of the code, modules chosen by name."""
