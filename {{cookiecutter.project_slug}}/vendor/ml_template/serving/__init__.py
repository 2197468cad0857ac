"""The champion as an HTTP service and as batch scoring. Never imports pandas, pyarrow or MLflow."""
