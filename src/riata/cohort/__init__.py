"""A clinical table and the genotypes of the same people: what is read, measured and decided on both."""
