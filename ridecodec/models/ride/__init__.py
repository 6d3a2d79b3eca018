"""RIDE: spatial LSTMs with a factorised MCGSM on top; without a layer, the MCGSM alone (Theis and Bethge, 2015)."""
