"""What every command needs of the operating system: files, folders, signals, the shell. Standard library alone."""
