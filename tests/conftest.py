"""What every test starts from."""

import signal

# A shell starts background commands with Ctrl-C ignored, and children inherit that: the tests of Ctrl-C need it as it is
# in a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)
