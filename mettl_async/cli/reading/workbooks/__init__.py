"""Workbooks of all formats as sheets of cells, each as the sheet shows it."""
