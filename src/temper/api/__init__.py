"""What Temper gives to programs in Python."""
