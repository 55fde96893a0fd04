"""The experiments of Miki et al. that a simulation can repeat; docs/evaluate.md says how."""
