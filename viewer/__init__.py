"""A web page to see the robots in and to drive them: a screen for `play`, made with viser."""
