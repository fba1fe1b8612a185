"""What all tests share."""

import signal

# Shells start background jobs with Ctrl-C ignored, and Python then leaves it so: tests of Ctrl-C need it to interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
