"""Large problems: families of variables and of residuals, declared with arrays and compiled to programs."""
