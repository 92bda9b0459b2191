"""Shared by all tests. Its place puts tests/ on the path, so that every test can import `toy`."""
