"""Who may see the dashboard: what stands before every route."""
