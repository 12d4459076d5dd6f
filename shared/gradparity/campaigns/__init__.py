"""Long runs whose results the report shows."""
