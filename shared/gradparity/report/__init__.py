"""The report: results, figures, pages."""
