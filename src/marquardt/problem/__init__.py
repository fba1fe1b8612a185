"""A model joined with data: residuals as a function of the free parameters, traced or called back."""
