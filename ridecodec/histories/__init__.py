"""What was done to pictures, found out and undone: each history gives the exact way back to the picture."""
