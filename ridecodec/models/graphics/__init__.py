"""A model of screenshots, icons and the like: colours that come again, over the gradient predictor."""
