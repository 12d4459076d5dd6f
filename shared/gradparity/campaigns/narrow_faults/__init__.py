"""Judge correct programs in unusual forms, and programs whose fault shows under one condition only."""
