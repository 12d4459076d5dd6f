"""Record every array that a program makes, align two recordings by value, and judge what lies between."""
