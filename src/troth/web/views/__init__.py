"""Views read input, call a door of a room, and show the result."""
