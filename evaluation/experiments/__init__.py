"""The experiments of Miki et al. that a simulation can repeat; docs/experiments.md says how."""
