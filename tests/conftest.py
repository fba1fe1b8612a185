"""What all tests share."""

import signal

# Shells start background jobs with Ctrl-C ignored, and Python leaves it so: its tests need it to interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
