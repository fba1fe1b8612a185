"""Models as expressions: functions and formulas become graphs, are differentiated and lowered to tapes."""
