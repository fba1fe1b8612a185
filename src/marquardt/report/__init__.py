"""How a fit is shown: text, HTML, plots, a JSON record."""
