"""Events: XDM paths, readers of files, mappings of flat files, checks, and the way into the lake."""
