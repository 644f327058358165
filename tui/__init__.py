"""Reserved: the dashboard, which shows what `pipeline.status` reads."""
