"""The photo model: `definition` is its program, `initial` what training begins with, `export` makes the model file."""
