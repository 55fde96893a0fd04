"""What a robot's engineer may follow line by line."""
