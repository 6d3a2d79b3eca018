"""The photo model: `definition` is its program, `initial` what training begins with, `export` makes the model file.

`image_experts` are fitted to each picture, `coefficients` are their bytes, and `side` brings both together.
"""
