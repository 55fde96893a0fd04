"""What every part needs of the machine: files, folders, signals, the shell, and machine code, for which numba."""
