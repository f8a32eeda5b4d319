"""Activities: one thin step each, that delegates and classifies errors."""
