"""The report of a run: data, words, pictures, and one HTML page that holds them all."""

from goldsmith.evaluate.report.data import ReportData
from goldsmith.evaluate.report.gather import gather
from goldsmith.evaluate.report.html import write_report

__all__ = ["ReportData", "gather", "write_report"]
