"""Models as expressions: functions and formulas become graphs, graphs are differentiated and lowered to tapes."""
