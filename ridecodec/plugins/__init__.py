"""Ways for other libraries to read and write .rdc files, a module each."""
