"""A training run: its command line, its stages in their order, and what each begins with."""
