"""Plugins for other libraries, one module each."""
