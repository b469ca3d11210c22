"""Films that are hard to read, files that pretend: what must become of each."""
