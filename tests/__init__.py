"""The tests mirror the folders. A package, because a dependency of a vendor's SDK installs one of this name."""
