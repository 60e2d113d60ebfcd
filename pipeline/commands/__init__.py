"""Commands of the program that need no source and no sink, a file each."""
