"""The bytes of .rdc and .rdca files, written and read without any model."""
