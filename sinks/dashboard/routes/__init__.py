"""The routes of the dashboard, a file for each subject."""
