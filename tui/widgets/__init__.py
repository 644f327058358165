"""What the dashboard is put together from."""
