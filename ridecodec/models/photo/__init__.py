"""The photo model: `features` is its exact front end, `network` the float network that is trained, `export` makes the
integers of it and `backend` runs them; `image_experts` are fitted to each picture, `coefficients` are their bytes, and
`linear_experts` evaluates them beside the learned ones."""
