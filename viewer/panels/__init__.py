"""The controls of the page, a tab for each purpose."""
