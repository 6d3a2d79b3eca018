"""What is exact: programs of integer operations, their distributions, and the order in which pixels are coded."""
